using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu.Words;
using Weft.Backends.Cpu.MatMul;
using Weft.Weights;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>Chooses the quantized product for a matrix and a machine.</summary>
internal static unsafe class QuantizedMatMul
{
    /// <summary>How the input of a matrix is quantized.</summary>
    public static QuantizedInput Input(WeftFile file, TensorEntry tensor, InstructionSet instructions)
    {
        var order = Order(file, tensor);
        return instructions.HasWords() ? new WordInput(tensor.Tiles, order) : new ByteInput(tensor.Tiles, order);
    }

    /// <summary>The input column of each stored column; null where they are the same.</summary>
    /// <exception cref="WeftException">It names a column that is not there.</exception>
    public static int[]? Order(WeftFile file, TensorEntry tensor)
    {
        var layout = tensor.Tiles;
        var order = layout.Quantization.Permuted
            ? new ReadOnlySpan<int>(file.Address(tensor) + layout.Order, layout.Columns).ToArray()
            : null;
        if (order?.Any(column => (uint)column >= (uint)layout.Columns) == true)
            throw new WeftException($"{file.Path}: the order of the columns of '{tensor.Name}' names one that is not there");
        return order;
    }

    /// <summary>The product.</summary>
    public static MatMulKernel Create(QuantizedLayout layout, QuantizedInput input, InstructionSet instructions) => input switch
    {
        WordInput words when instructions == InstructionSet.Amx => new WordMatMulKernel<TileProducts>(layout, words),
        WordInput words => new WordMatMulKernel<DotProducts>(layout, words),
        ByteInput bytes => Create(layout, bytes, instructions),
        _ => throw new NotSupportedException($"there is no product for a {input.GetType().Name}"),
    };

    /// <summary>Floats that a thread needs.</summary>
    public static int ScratchFloats(QuantizedLayout layout) => Math.Max(ByteMatMulKernel.ScratchFloats(layout), WordMatMulKernel<DotProducts>.ScratchFloats);

    private static MatMulKernel Create(QuantizedLayout layout, ByteInput input, InstructionSet instructions) => instructions switch
    {
        InstructionSet.Vector512 when Avx512BW.IsSupported => layout.Bits == 4 ? new WideQuantizedMatMulKernel<WideInt4Code>(layout, input) : new WideQuantizedMatMulKernel<WideInt8Code>(layout, input),
        InstructionSet.Vector512 or InstructionSet.Vector256 when AvxVnni.IsSupported => Create<ByteDotVnni>(layout, input),
        InstructionSet.Vector512 or InstructionSet.Vector256 when Avx2.IsSupported => Create<ByteDot256>(layout, input),
        not InstructionSet.Scalar when Ssse3.IsSupported => Create<ByteDot128>(layout, input),
        _ => Create<ByteDotPlain>(layout, input),
    };

    private static MatMulKernel Create<TDot>(QuantizedLayout layout, ByteInput input)
        where TDot : struct, IByteDot => layout.Bits == 4
        ? new NarrowQuantizedMatMulKernel<TDot, Int4Code>(layout, input)
        : new NarrowQuantizedMatMulKernel<TDot, Int8Code>(layout, input);
}

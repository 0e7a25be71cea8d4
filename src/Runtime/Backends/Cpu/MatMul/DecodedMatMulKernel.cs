using Weft.Backends.Cpu.Simd;
using Weft.Weights;

namespace Weft.Backends.Cpu.MatMul;

/// <summary>
/// The product with a matrix of codes that become numbers. Sixteen rows at a time, which share tiles, are made in the thread's own cache, exactly, and are multiplied as
/// float32 rows are: activations are not rounded, as they are where codes are multiplied as integers.
/// </summary>
internal abstract unsafe class DecodedMatMulKernel<TSimd, TVector>(QuantizedLayout layout) : MatMulKernel
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private static readonly MatMulKernel Numbers = MatMulKernel<TSimd, TVector, Float32Weights>.Instance;

    /// <summary>The matrix.</summary>
    protected QuantizedLayout Layout => layout;

    /// <summary>Floats that a thread needs.</summary>
    public static int ScratchFloats(QuantizedLayout layout) => PackedFloats(MaxChunk) + (QuantizedLayout.TileRows * layout.Columns);

    /// <inheritdoc/>
    public sealed override void Pack(in MatMulArguments arguments, float* packed) => Numbers.Pack(arguments, packed);

    /// <inheritdoc/>
    public sealed override void Run(in MatMulArguments arguments, int firstRow, int endRow, float* scratch)
    {
        var numbers = scratch + PackedFloats(MaxChunk);
        for (var row = firstRow; row < endRow;)
        {
            var block = row / QuantizedLayout.TileRows;
            var first = block * QuantizedLayout.TileRows;
            var end = Math.Min(first + QuantizedLayout.TileRows, endRow);
            Decode(arguments.W, block, numbers);
            var piece = arguments;
            piece.W = (byte*)numbers;
            piece.Y += first;
            piece.Bias = piece.Bias == null ? null : piece.Bias + first;
            Numbers.Run(piece, row - first, end - first, scratch);
            row = end;
        }
    }

    /// <summary>The sixteen rows of a block of tiles as numbers, [16, K].</summary>
    protected abstract void Decode(byte* matrix, int block, float* numbers);
}

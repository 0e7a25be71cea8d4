using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weft.Backends.Cpu.MatMul;
using Weft.Weights;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>
/// y[N, M] = x[N, K] · W[M, K]ᵀ for a matrix of tiles and rows of 8-bit activations, sixteen rows of weights at a time. Products of codes and activations are summed in exact
/// integers over columns that share the activations' scale; zero points are taken off through the sums of a group's activations.
/// </summary>
internal abstract unsafe class QuantizedMatMulKernel(QuantizedLayout layout, QuantizedInput input) : MatMulKernel
{
    /// <summary>Most tokens that are multiplied together.</summary>
    protected const int TokensAtOnce = 4;

    /// <inheritdoc/>
    public sealed override bool PacksItself => false;

    /// <summary>Where a tile has two groups, the lanes of the first: lane 4 · n + step holds columns of a step.</summary>
    protected static Vector512<float> FirstSteps => Vector512.Create(-1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0).AsSingle();

    /// <summary>The matrix.</summary>
    protected QuantizedLayout Layout => layout;

    /// <summary>The activations.</summary>
    protected QuantizedInput Input => input;

    /// <inheritdoc/>
    public sealed override void Pack(in MatMulArguments arguments, float* packed) => throw new NotSupportedException("rows are quantized by an operation of their own");

    /// <inheritdoc/>
    public sealed override void Run(in MatMulArguments arguments, int firstRow, int endRow, float* scratch)
    {
        var sums = stackalloc float[TokensAtOnce * QuantizedLayout.TileRows];
        var scales = scratch;
        var zeros = scales + (layout.Groups * QuantizedLayout.TileRows);
        var codes = (byte*)(zeros + (layout.Groups * QuantizedLayout.TileRows));
        for (var row = firstRow; row < endRow;)
        {
            // An expert's rows may begin and end within a tile.
            var block = row / QuantizedLayout.TileRows;
            var end = Math.Min((block + 1) * QuantizedLayout.TileRows, endRow);
            ReadScales(arguments.W, block, scales, zeros);
            var tiles = arguments.W + layout.Tile(block, 0);
            Begin(tiles, codes, arguments.N);
            for (var token = 0; token < arguments.N; token += TokensAtOnce)
            {
                var count = Math.Min(TokensAtOnce, arguments.N - token);
                Multiply(tiles, codes, Row(arguments, token), count, scales, zeros, sums);
                for (var i = 0; i < count; i++)
                    Write(arguments, token + i, row, end, sums + (i * QuantizedLayout.TileRows));
            }

            row = end;
        }
    }

    /// <summary>Makes what <see cref="Multiply"/> reads of a row of tiles, for all tokens.</summary>
    /// <param name="tiles">[tiles, 512].</param>
    /// <param name="codes">Receives it; as much as <see cref="QuantizedMatMul.ScratchFloats"/> leaves room for.</param>
    /// <param name="count">All tokens.</param>
    protected abstract void Begin(byte* tiles, byte* codes, int count);

    /// <summary>Multiplies a row of tiles with some tokens.</summary>
    /// <param name="tiles">[tiles, 512].</param>
    /// <param name="codes">What <see cref="Begin"/> made of them.</param>
    /// <param name="rows">Of the tokens, as <see cref="QuantizedInput.Quantize"/> left them.</param>
    /// <param name="count">Tokens, from 1 to <see cref="TokensAtOnce"/>.</param>
    /// <param name="scales">[groups, 16].</param>
    /// <param name="zeros">[groups, 16] zero points.</param>
    /// <param name="sums">Receives [tokens, 16].</param>
    protected abstract void Multiply(byte* tiles, byte* codes, byte* rows, int count, float* scales, float* zeros, float* sums);

    private byte* Row(in MatMulArguments arguments, int token) => (byte*)arguments.PackedX + ((nint)token * input.Bytes);

    /// <summary>[groups, 16] scales and zero points, in float32.</summary>
    private void ReadScales(byte* w, int block, float* scales, float* zeros)
    {
        var first = layout.GroupIndex(block * QuantizedLayout.TileRows, 0);
        var count = layout.Groups * QuantizedLayout.TileRows;
        TensorPrimitives.ConvertToSingle(new ReadOnlySpan<Half>(w + layout.Scales + (first * sizeof(ushort)), count), new Span<float>(scales, count));
        if (!layout.Quantization.ZeroPoints)
        {
            new Span<float>(zeros, count).Fill(1 << (layout.Bits - 1));
            return;
        }

        for (var i = 0; i < count; i += QuantizedLayout.TileRows)
            Widen(Vector128.Load(w + layout.ZeroPoints + first + i)).Store(zeros + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Widen(Vector128<byte> bytes)
    {
        var (low, high) = Vector128.Widen(bytes);
        var (a, b) = Vector256.Widen(Vector256.Create(low, high));
        return Vector512.ConvertToSingle(Vector512.Create(a, b).AsInt32());
    }

    private static void Write(in MatMulArguments arguments, int token, int firstRow, int endRow, float* sums)
    {
        var y = arguments.Y + (token * arguments.YStride);
        for (var row = firstRow; row < endRow; row++)
        {
            var value = sums[row % QuantizedLayout.TileRows] + (arguments.Bias == null ? 0 : arguments.Bias[row]);
            y[row] = arguments.Accumulate ? y[row] + value : value;
        }
    }
}

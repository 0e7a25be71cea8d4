using System.Runtime.Intrinsics;
using Weft.Backends.Cpu.MatMul;
using Weft.Weights;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>
/// The product with rows of 8-bit activations, four tokens and sixteen rows of weights at a time. Products of codes and activations are summed in exact integers over columns that share the activations'
/// scale; zero points are taken off through the sums of a group's activations.
/// </summary>
internal abstract unsafe class ByteMatMulKernel(QuantizedLayout layout, ByteInput input) : QuantizedMatMulKernel(layout)
{
    /// <summary>Most tokens that are multiplied together.</summary>
    protected const int TokensAtOnce = 4;

    /// <summary>Where a tile has two groups, the lanes of the first: lane 4 · n + step holds columns of a step.</summary>
    protected static Vector512<float> FirstSteps => Vector512.Create(-1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0).AsSingle();

    /// <summary>The activations.</summary>
    protected ByteInput Input => input;

    /// <summary>Floats that a thread needs: scales, zero points and codes of a row of tiles.</summary>
    public static int ScratchFloats(QuantizedLayout layout) =>
        (2 * layout.Groups * QuantizedLayout.TileRows) + (layout.ColumnTiles * WideQuantizedMatMulKernel<WideInt4Code>.SpreadBytes / sizeof(float));

    /// <inheritdoc/>
    public sealed override void Run(in MatMulArguments arguments, int firstRow, int endRow, float* scratch)
    {
        var sums = stackalloc float[TokensAtOnce * QuantizedLayout.TileRows];
        var scales = scratch;
        var zeros = scales + (Layout.Groups * QuantizedLayout.TileRows);
        var codes = (byte*)(zeros + (Layout.Groups * QuantizedLayout.TileRows));
        for (var row = firstRow; row < endRow;)
        {
            // An expert's rows may begin and end within a tile.
            var block = row / QuantizedLayout.TileRows;
            var end = Math.Min((block + 1) * QuantizedLayout.TileRows, endRow);
            ReadScales(arguments.W, block, scales, zeros);
            var tiles = arguments.W + Layout.Tile(block, 0);
            Begin(tiles, codes, arguments.N);
            for (var token = 0; token < arguments.N; token += TokensAtOnce)
            {
                var count = Math.Min(TokensAtOnce, arguments.N - token);
                Multiply(tiles, codes, Input.Row((byte*)arguments.PackedX, arguments.FirstPackedRow + token), count, scales, zeros, sums);
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
}

using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;
using Weft.Weights;

namespace Weft.Backends.Cpu.MatMul;

/// <summary>int4 and int8 codes as numbers, for whoever wants what the weights say without rounding activations to integers, as <see cref="Quantized.QuantizedMatMul"/> does to be faster.</summary>
/// <param name="layout">Of the matrix.</param>
/// <param name="order">The input column of each stored column; null where they are the same.</param>
internal sealed unsafe class IntegerMatMulKernel<TSimd, TVector>(QuantizedLayout layout, int[]? order) : DecodedMatMulKernel<TSimd, TVector>(layout)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private readonly (int Byte, int Shift)[] places =
        [.. Enumerable.Range(0, QuantizedLayout.TileRows * layout.TileColumns).Select(i => layout.Place(i / layout.TileColumns, i % layout.TileColumns))];

    /// <inheritdoc/>
    [MethodImpl(Hot.Path)]
    protected override void Decode(byte* matrix, int block, float* numbers)
    {
        var mask = (1 << Layout.Bits) - 1;
        var tiles = matrix + Layout.Tile(block, 0);
        for (var row = 0; row < QuantizedLayout.TileRows; row++, numbers += Layout.Columns)
        {
            var ofRow = places.AsSpan(row * Layout.TileColumns, Layout.TileColumns);
            for (var group = 0; group < Layout.Groups; group++)
            {
                var index = Layout.GroupIndex((block * QuantizedLayout.TileRows) + row, group);
                var zero = Layout.ZeroPointBytes switch
                {
                    0 => Layout.MiddleCode,
                    sizeof(ushort) => Layout.MiddleCode + SimdScalar.LoadFloat16((ushort*)(matrix + Layout.ZeroPoints) + index),
                    _ => matrix[Layout.ZeroPoints + index],
                };
                var scale = SimdScalar.LoadFloat16((ushort*)(matrix + Layout.Scales) + index);
                var first = group * Layout.Quantization.GroupSize;
                for (var column = first; column < first + Layout.Quantization.GroupSize; column++)
                {
                    var (tile, inTile) = Math.DivRem(column, ofRow.Length);
                    var (at, shift) = ofRow[inTile];
                    var code = (tiles[(tile * QuantizedLayout.TileBytes) + at] >> shift) & mask;
                    numbers[order is null ? column : order[column]] = (code - zero) * scale;
                }
            }
        }
    }
}

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Weft.Weights;

namespace Weft.Convert.Quantization;

/// <summary>Puts a quantized matrix into the order of the packed file.</summary>
internal static class TilePacker
{
    /// <summary>The tensor's bytes.</summary>
    public static byte[] Pack(QuantizedMatrix matrix, QuantizedLayout layout)
    {
        var bytes = new byte[layout.Length];
        PackRows(matrix, layout, 0, layout.Rows, bytes);
        return bytes;
    }

    /// <summary>Writes rows of a tensor, of which nothing was written before.</summary>
    /// <param name="matrix">These rows alone.</param>
    /// <param name="layout">Of the tensor.</param>
    /// <param name="firstRow">The first of them; a tile's first.</param>
    /// <param name="rows">How many; the last fills a tile unless it is the tensor's last.</param>
    /// <param name="bytes">The tensor.</param>
    public static void PackRows(QuantizedMatrix matrix, QuantizedLayout layout, int firstRow, int rows, byte[] bytes)
    {
        var places = Places(layout);
        var first = firstRow / QuantizedLayout.TileRows;
        var end = (firstRow + rows + QuantizedLayout.TileRows - 1) / QuantizedLayout.TileRows;
        Parallel.For(first, end, block => PackBlock(matrix, layout, firstRow, places, bytes, block));
        if (layout.Quantization.Permuted)
            MemoryMarshal.AsBytes(matrix.Order.AsSpan()).CopyTo(bytes.AsSpan((int)layout.Order));
    }

    private static (int Byte, int Shift)[] Places(QuantizedLayout layout) =>
    [
        .. from row in Enumerable.Range(0, QuantizedLayout.TileRows)
           from column in Enumerable.Range(0, layout.TileColumns)
           select layout.Place(row, column),
    ];

    private static void PackBlock(QuantizedMatrix matrix, QuantizedLayout layout, int firstRow, (int Byte, int Shift)[] places, byte[] bytes, int block)
    {
        var first = block * QuantizedLayout.TileRows;
        var rows = Math.Min(QuantizedLayout.TileRows, layout.Rows - first);
        for (var tile = 0; tile < layout.ColumnTiles; tile++)
        {
            var target = bytes.AsSpan((int)layout.Tile(block, tile), QuantizedLayout.TileBytes);
            var start = tile * layout.TileColumns;
            var columns = Math.Min(layout.TileColumns, layout.Columns - start);
            for (var row = 0; row < rows; row++)
            {
                var codes = matrix.Codes.AsSpan(((first - firstRow + row) * layout.Columns) + start, columns);
                for (var column = 0; column < columns; column++)
                {
                    var (place, shift) = places[(row * layout.TileColumns) + column];
                    target[place] |= (byte)(codes[column] << shift);
                }
            }
        }

        for (var row = first; row < first + rows; row++)
        {
            for (var group = 0; group < layout.Groups; group++)
            {
                var (from, to) = (((row - firstRow) * layout.Groups) + group, layout.GroupIndex(row, group));
                BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan((int)(layout.Scales + (to * sizeof(ushort)))), matrix.Scales[from]);
                if (layout.Quantization.Fractional)
                    BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan((int)(layout.ZeroPoints + (to * sizeof(ushort)))), matrix.FractionalZeroPoints[from]);
                else if (layout.Quantization.ZeroPoints)
                    bytes[layout.ZeroPoints + to] = matrix.ZeroPoints[from];
            }
        }
    }
}

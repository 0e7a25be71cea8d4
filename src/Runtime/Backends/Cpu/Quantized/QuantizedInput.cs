using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weft.Weights;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>
/// A row of activations [K] as 8-bit numbers for products with tiles: 16 columns, which a tile calls a step, share a scale; a tile's columns lie in
/// the order in which its codes meet them.
/// <code>
///   values [tiles, 64] sbyte     scales [tiles, 4] float     sums [groups] float: Σ value · scale, for the zero points
/// </code>
/// </summary>
internal sealed unsafe class QuantizedInput
{
    /// <summary>Bytes of a vector, which is a tile's columns for int4, and each of them twice for int8.</summary>
    public const int VectorBytes = 64;

    /// <summary>Scales of a tile: of its four steps for int4; of its two, each twice, for int8. Four neighbouring sums take them in turn.</summary>
    public const int TileScales = 4;

    private const int MaxValue = 127;
    private const int StepColumns = 16;

    private readonly QuantizedLayout layout;
    private readonly int[]? order;
    private readonly Vector512<byte> places;
    private readonly int tilesPerGroup;
    private readonly int groupsPerTile;

    /// <param name="layout">Of the matrix that rows are multiplied with.</param>
    /// <param name="order">The input column of each stored column; null where they are the same.</param>
    public QuantizedInput(QuantizedLayout layout, int[]? order)
    {
        (this.layout, this.order) = (layout, order);
        places = Vector512.Create(Places(layout));
        tilesPerGroup = Math.Max(1, layout.Groups == 1 ? layout.ColumnTiles : layout.Quantization.GroupSize / layout.TileColumns);
        groupsPerTile = layout.Groups == 1 ? 1 : Math.Max(1, layout.TileColumns / layout.Quantization.GroupSize);
        Bytes = ((layout.ColumnTiles * (VectorBytes + (TileScales * sizeof(float)))) + (layout.Groups * sizeof(float)) + VectorBytes - 1) / VectorBytes * VectorBytes;
    }

    /// <summary>Bytes of a row.</summary>
    public int Bytes { get; }

    /// <summary>Tiles of a group; 1 where a tile has several groups.</summary>
    public int TilesPerGroup => tilesPerGroup;

    /// <summary>Groups of a tile; 1 where a group has several tiles.</summary>
    public int GroupsPerTile => groupsPerTile;

    /// <summary>Whether rows quantized for <paramref name="other"/> serve as well.</summary>
    public bool IsSameAs(QuantizedInput other) =>
        layout.Columns == other.layout.Columns && layout.Bits == other.layout.Bits && layout.Groups == other.layout.Groups
        && (order is null ? other.order is null : other.order is not null && order.AsSpan().SequenceEqual(other.order));

    /// <summary>[tiles, 64] of the row at <paramref name="row"/>.</summary>
    public static sbyte* Values(byte* row) => (sbyte*)row;

    /// <summary>[tiles, 4].</summary>
    public float* Scales(byte* row) => (float*)(row + ((nint)layout.ColumnTiles * VectorBytes));

    /// <summary>[groups].</summary>
    public float* Sums(byte* row) => Scales(row) + (layout.ColumnTiles * TileScales);

    /// <summary>Quantizes one row.</summary>
    /// <param name="x">[K].</param>
    /// <param name="row">Receives <see cref="Bytes"/>.</param>
    [MethodImpl(Hot.Path)]
    public void Quantize(float* x, byte* row)
    {
        var columns = layout.TileColumns;
        var repeat = TileScales * StepColumns / columns;
        var buffer = stackalloc float[columns];
        var steps = stackalloc Vector512<int>[VectorBytes / StepColumns];
        var scales = Scales(row);
        var sums = Sums(row);
        new Span<float>(sums, layout.Groups).Clear();
        for (var tile = 0; tile < layout.ColumnTiles; tile++)
        {
            var first = tile * columns;
            Collect(x, first, Math.Min(columns, layout.Columns - first), columns, buffer);
            for (var step = 0; step < columns / StepColumns; step++)
            {
                var values = Vector512.Load(buffer + (step * StepColumns));
                var max = Max(Vector512.Abs(values));
                var scale = max / MaxValue;
                steps[step] = Vector512.ConvertToInt32(Vector512.Round(values * (max > 0 ? MaxValue / max : 0)));
                for (var i = 0; i < repeat; i++)
                    *scales++ = scale;
                sums[Math.Min((first + (step * StepColumns)) / layout.Quantization.GroupSize, layout.Groups - 1)] += scale * Vector512.Sum(steps[step]);
            }

            var bytes = Vector512.Narrow(Vector512.Narrow(steps[0], steps[1]), Vector512.Narrow(steps[2], steps[3]));
            Vector512.Shuffle(bytes.AsByte(), places).Store(row + ((nint)tile * VectorBytes));
        }
    }

    private static float Max(Vector512<float> values)
    {
        var half = Vector256.Max(values.GetLower(), values.GetUpper());
        var quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        quarter = Vector128.Max(quarter, Vector128.Shuffle(quarter, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(quarter[0], quarter[1]);
    }

    /// <summary>A tile's columns, with zeros where it reaches beyond the last.</summary>
    private void Collect(float* x, int first, int count, int columns, float* buffer)
    {
        if (order is null)
        {
            Unsafe.CopyBlockUnaligned(buffer, x + first, (uint)count * sizeof(float));
        }
        else
        {
            for (var i = 0; i < count; i++)
                buffer[i] = x[order[first + i]];
        }

        new Span<float>(buffer + count, columns - count).Clear();
    }

    /// <summary>Which of a tile's columns each byte of a vector multiplies.</summary>
    private static byte[] Places(QuantizedLayout layout)
    {
        var places = new byte[VectorBytes];
        for (var column = 0; column < layout.TileColumns; column++)
        {
            for (var row = 0; row < QuantizedLayout.TileRows; row += 8)
                places[layout.Place(row, column).Byte] = (byte)column;
        }

        return places;
    }
}

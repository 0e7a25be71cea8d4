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
internal sealed unsafe class ByteInput : QuantizedInput
{
    /// <summary>Bytes of a vector, which is a tile's columns for int4, and each of them twice for int8.</summary>
    public const int VectorBytes = 64;

    /// <summary>Scales of a tile: of its four steps for int4; of its two, each twice, for int8. Four neighbouring sums take them in turn.</summary>
    public const int TileScales = 4;

    private const int MaxValue = 127;
    private const int StepColumns = 16;

    private readonly Vector512<byte> places;
    private readonly int tilesPerGroup;
    private readonly int groupsPerTile;

    /// <inheritdoc cref="QuantizedInput"/>
    public ByteInput(QuantizedLayout layout, int[]? order)
        : base(layout, order)
    {
        places = Vector512.Create(Places(layout));
        tilesPerGroup = Math.Max(1, layout.Groups == 1 ? layout.ColumnTiles : layout.Quantization.GroupSize / layout.TileColumns);
        groupsPerTile = layout.Groups == 1 ? 1 : Math.Max(1, layout.TileColumns / layout.Quantization.GroupSize);
        Bytes = ((layout.ColumnTiles * (VectorBytes + (TileScales * sizeof(float)))) + (layout.Groups * sizeof(float)) + VectorBytes - 1) / VectorBytes * VectorBytes;
    }

    /// <inheritdoc/>
    public override int Bytes { get; }

    /// <summary>Tiles of a group; 1 where a tile has several groups.</summary>
    public int TilesPerGroup => tilesPerGroup;

    /// <summary>Groups of a tile; 1 where a group has several tiles.</summary>
    public int GroupsPerTile => groupsPerTile;

    /// <summary>[tiles, 64] of the row at <paramref name="row"/>.</summary>
    public static sbyte* Values(byte* row) => (sbyte*)row;

    /// <summary>[tiles, 4].</summary>
    public float* Scales(byte* row) => (float*)(row + ((nint)Layout.ColumnTiles * VectorBytes));

    /// <summary>[groups].</summary>
    public float* Sums(byte* row) => Scales(row) + (Layout.ColumnTiles * TileScales);

    /// <inheritdoc/>
    public override void Quantize(float* x, byte* rows, int row, int count) => Quantize(x, Row(rows, row));

    /// <summary>A row among all.</summary>
    public byte* Row(byte* rows, int row) => rows + ((nint)row * Bytes);

    [MethodImpl(Hot.Path)]
    private void Quantize(float* x, byte* row)
    {
        var columns = Layout.TileColumns;
        var repeat = TileScales * StepColumns / columns;
        var buffer = stackalloc float[columns];
        var steps = stackalloc Vector512<int>[VectorBytes / StepColumns];
        var scales = Scales(row);
        var sums = Sums(row);
        new Span<float>(sums, Layout.Groups).Clear();
        for (var tile = 0; tile < Layout.ColumnTiles; tile++)
        {
            var first = tile * columns;
            Collect(x, first, columns, buffer);
            for (var step = 0; step < columns / StepColumns; step++)
            {
                var values = Vector512.Load(buffer + (step * StepColumns));
                var max = Max(Vector512.Abs(values));
                var scale = max / MaxValue;
                steps[step] = Vector512.ConvertToInt32(Vector512.Round(values * (max > 0 ? MaxValue / max : 0)));
                for (var i = 0; i < repeat; i++)
                    *scales++ = scale;
                sums[Math.Min((first + (step * StepColumns)) / Layout.Quantization.GroupSize, Layout.Groups - 1)] += scale * Vector512.Sum(steps[step]);
            }

            var bytes = Vector512.Narrow(Vector512.Narrow(steps[0], steps[1]), Vector512.Narrow(steps[2], steps[3]));
            Vector512.Shuffle(bytes.AsByte(), places).Store(row + ((nint)tile * VectorBytes));
        }
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

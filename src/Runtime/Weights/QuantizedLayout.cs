using Weft.Tensors;

namespace Weft.Weights;

/// <summary>
/// Where everything of a quantized matrix [M, K] lies in its tensor: codes in tiles, then scales, zero points and the order of the columns, each
/// section at a multiple of 64 bytes. <c>docs/format.md</c> specifies it to the bit.
/// <para>
/// A tile is 16 rows of 64 columns (int4) or 32 (int8), 512 bytes. It is what a warp feeds a tensor core with, unchanged: lane l of 32 holds bytes
/// 16·l to 16·l + 15, codes of the rows l / 4 and l / 4 + 8; and what a vector register of the CPU multiplies, since the low halves
/// of its bytes belong to one row and the high halves to another.
/// </para>
/// </summary>
public sealed class QuantizedLayout
{
    /// <summary>Rows of a tile.</summary>
    public const int TileRows = 16;

    /// <summary>Bytes of a tile.</summary>
    public const int TileBytes = 512;

    /// <summary>Group sizes there can be, for messages.</summary>
    public const string GroupSizes = "32, a multiple of 64 that divides the columns, or all columns";

    // Columns of one step of a tensor core, and what a lane holds of them.
    private const int StepColumns = 16;
    private const int LaneColumns = 4;
    private const int LaneBytes = 16;
    private const int SectionAlignment = 64;

    /// <summary>The layout of [<paramref name="rows"/>, <paramref name="columns"/>] codes of a type.</summary>
    /// <exception cref="OverflowException">No file can hold it.</exception>
    public QuantizedLayout(int rows, int columns, DataType type, Quantization quantization)
    {
        ArgumentNullException.ThrowIfNull(quantization);
        (Rows, Columns, Bits, Quantization) = (rows, columns, type == DataType.Int8 ? 8 : 4, quantization);
        ScaleBytes = type == DataType.Mxfp4 ? 1 : sizeof(ushort);
        ZeroPointBytes = !quantization.ZeroPoints ? 0 : quantization.Fractional ? sizeof(ushort) : 1;
        RowBlocks = Up(rows, TileRows);
        TileColumns = TileBytes * 8 / (TileRows * Bits);
        ColumnTiles = Up(columns, TileColumns);
        Groups = columns / quantization.GroupSize;
        Scales = Align(checked((long)RowBlocks * ColumnTiles * TileBytes));
        var perGroup = (long)RowBlocks * Groups * TileRows;
        ZeroPoints = Align(Scales + (perGroup * ScaleBytes));
        Order = Align(ZeroPoints + (perGroup * ZeroPointBytes));
        Length = Order + (quantization.Permuted ? (long)columns * sizeof(int) : 0);
    }

    /// <summary>M.</summary>
    public int Rows { get; }

    /// <summary>K.</summary>
    public int Columns { get; }

    /// <summary>Of a code.</summary>
    public int Bits { get; }

    /// <summary>Half the number of codes: zero points that are not stored, and what fractional ones count from.</summary>
    public int MiddleCode => 1 << (Bits - 1);

    /// <summary>What codes stand for.</summary>
    public Quantization Quantization { get; }

    /// <summary>Tiles above one another; rows beyond M have codes and scales of zero.</summary>
    public int RowBlocks { get; }

    /// <summary>Columns of a tile.</summary>
    public int TileColumns { get; }

    /// <summary>Tiles beside one another; codes of columns beyond K are zero.</summary>
    public int ColumnTiles { get; }

    /// <summary>Scales of a row.</summary>
    public int Groups { get; }

    /// <summary>Of a scale: two of an f16, or one of a power of two.</summary>
    public int ScaleBytes { get; }

    /// <summary>Of a zero point: one of a code, two of an f16; none where there are none.</summary>
    public int ZeroPointBytes { get; }

    /// <summary>First byte of the scales: [RowBlocks, Groups, 16].</summary>
    public long Scales { get; }

    /// <summary>First byte of the zero points: [RowBlocks, Groups, 16].</summary>
    public long ZeroPoints { get; }

    /// <summary>First byte of the order: int32 [K], the column of the input that each stored column multiplies.</summary>
    public long Order { get; }

    /// <summary>Bytes of everything.</summary>
    public long Length { get; }

    /// <summary>Whether a matrix of so many columns can have groups of this size.</summary>
    public static bool IsGroupSize(int size, int columns) => size > 0 && columns % size == 0 && (size == columns || size == 32 || size % 64 == 0);

    /// <summary>Where the tile of a row block and a range of columns begins; a block's tiles follow one another.</summary>
    public long Tile(int rowBlock, int tile) => (((long)rowBlock * ColumnTiles) + tile) * TileBytes;

    /// <summary>Index of a row's scale and zero point of a group.</summary>
    public long GroupIndex(int row, int group) => ((((long)(row / TileRows) * Groups) + group) * TileRows) + (row % TileRows);

    /// <summary>Where a code lies in its tile.</summary>
    /// <param name="row">In the tile.</param>
    /// <param name="column">In the tile.</param>
    /// <returns>The byte, and the lowest bit in it.</returns>
    public (int Byte, int Shift) Place(int row, int column)
    {
        var (step, inStep) = (column / StepColumns, column % StepColumns);
        var lane = (row % 8 * 4) + (inStep / LaneColumns);
        var i = inStep % LaneColumns;
        var isUpper = row / 8;
        // Of four columns a tensor core takes 0 and 1 as one register, 2 and 3 as the next: in that order, codes of 4 bits come out of a word
        // in pairs 16 bits apart.
        return Bits == 4
            ? ((lane * LaneBytes) + (step * 4) + ((i & 1) << 1) + (i >> 1), isUpper * 4)
            : ((lane * LaneBytes) + (((step * 2) + isUpper) * 4) + i, 0);
    }

    private static int Up(int value, int unit) => (value + unit - 1) / unit;

    private static long Align(long position) => (position + SectionAlignment - 1) / SectionAlignment * SectionAlignment;
}

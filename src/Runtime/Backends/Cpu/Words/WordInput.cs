using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu.Quantized;
using Weft.Weights;

namespace Weft.Backends.Cpu.Words;

/// <summary>
/// Rows of activations [K] as 16-bit numbers in two bytes, 256 · high + low, both signed, for instructions that multiply bytes. Columns of one chunk share a scale. What a product reads one after
/// the other lies one after the other:
/// <code>
///   values [units, rows, (high, low), 64] sbyte     scales [chunks, rows] float     sums [chunks, rows] float: Σ value · scale, for the zero points
/// </code>
/// </summary>
internal sealed unsafe class WordInput : QuantizedInput
{
    /// <summary>Columns whose bytes lie together: a row of a tile of the matrix unit.</summary>
    public const int UnitColumns = TileUnit.RowBytes;

    /// <summary>Bytes of a row's columns of a unit.</summary>
    public const int UnitBytes = 2 * UnitColumns;

    // The largest with a high byte of at most 127.
    private const int MaxValue = (127 * 256) + 127;

    // Below it MaxValue / max is not finite.
    private const float Least = 1e-33f;

    // So few that sums of products with codes of 8 bits stay below 2³¹.
    private const int MostColumns = 128;

    private const int Lanes = 16;

    private readonly int units;

    /// <inheritdoc cref="QuantizedInput"/>
    public WordInput(QuantizedLayout layout, int[]? order)
        : base(layout, order)
    {
        var group = layout.Quantization.GroupSize;
        ChunkColumns = layout.Groups == 1 || group % MostColumns == 0 ? MostColumns : Math.Min(group, UnitColumns);
        units = Up(layout.Columns, UnitColumns);
        Chunks = Up(layout.Columns, ChunkColumns);
        Bytes = (units * UnitBytes) + (Up(2 * Chunks * sizeof(float), UnitColumns) * UnitColumns);
    }

    /// <inheritdoc/>
    public override int Bytes { get; }

    /// <summary>Columns that share a scale: 32, 64 or 128, of one group of weights.</summary>
    public int ChunkColumns { get; }

    /// <summary>Chunks of a row; the last may have fewer columns.</summary>
    public int Chunks { get; }

    /// <summary>[chunks, rows] of all <paramref name="count"/> rows.</summary>
    public float* Scales(byte* rows, int count) => (float*)(rows + ((nint)units * UnitBytes * count));

    /// <summary>[chunks, rows].</summary>
    public float* Sums(byte* rows, int count) => Scales(rows, count) + ((nint)Chunks * count);

    /// <inheritdoc/>
    [MethodImpl(Hot.Path)]
    public override void Quantize(float* x, byte* rows, int row, int count)
    {
        var buffer = stackalloc float[MostColumns];
        float* scales = Scales(rows, count) + row, sums = Sums(rows, count) + row;
        for (var chunk = 0; chunk < Chunks; chunk++)
        {
            var first = chunk * ChunkColumns;
            var values = x + first;
            if (!IsContiguous || first + ChunkColumns > Layout.Columns)
            {
                Collect(x, first, ChunkColumns, buffer);
                values = buffer;
            }

            var most = Vector512<float>.Zero;
            for (var i = 0; i < ChunkColumns; i += Lanes)
                most = Vector512.Max(most, Vector512.Abs(Vector512.Load(values + i)));
            var max = Max(most);
            var factor = Vector512.Create(max > Least ? MaxValue / max : 0);
            var sum = Vector512<int>.Zero;
            for (var i = 0; i < ChunkColumns; i += Lanes)
            {
                var (unit, inUnit) = Math.DivRem(first + i, UnitColumns);
                if (unit == units)
                    break;
                var words = Avx512F.ConvertToVector512Int32(Vector512.Load(values + i) * factor); // rounds
                sum += words;
                Store(words, rows + ((((nint)unit * count) + row) * UnitBytes) + inUnit);
            }

            var scale = max / MaxValue;
            scales[(nint)chunk * count] = scale;
            sums[(nint)chunk * count] = scale * Vector512.Sum(sum);
        }
    }

    private static int Up(int value, int unit) => (value + unit - 1) / unit;

    /// <summary>Sixteen columns as high and low bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Store(Vector512<int> words, byte* high)
    {
        const byte Int4Order = 0b11_01_10_00; // of four columns in a word of codes
        if (Layout.Bits == 4)
            words = Avx512F.Shuffle(words, Int4Order);
        Avx512F.ConvertToVector128SByte((words + Vector512.Create(128)) >> 8).Store((sbyte*)high);
        Avx512F.ConvertToVector128SByte(words).Store((sbyte*)high + UnitColumns); // what is left after 256 · high, for it is the lowest byte
    }
}

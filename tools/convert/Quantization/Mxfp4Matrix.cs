using Weft.Convert.Checkpoints;
using Weft.Weights;

namespace Weft.Convert.Quantization;

/// <summary>
/// Rows of matrices in the MX format with 4 bits (OCP Microscaling Formats v1.0, 2023), as gpt-oss stores those of its experts: blocks, [experts, rows, K / 32, 16] bytes with
/// the even column in the lower half, and scales, [experts, rows, K / 32] exponents. They are put in order as they are.
/// </summary>
internal sealed class Mxfp4Matrix : QuantizedSource
{
    private const int GroupColumns = 32;
    private const int GroupBytes = GroupColumns / 2;
    private const int NoNumber = 255; // a scale that is NaN

    private readonly StoredTensor blocks;
    private readonly StoredTensor scales;
    private readonly int[] rows;

    /// <param name="blocks">Codes.</param>
    /// <param name="scales">Exponents.</param>
    /// <param name="rows">Which of all experts' rows the packed matrix has.</param>
    public Mxfp4Matrix(StoredTensor blocks, StoredTensor scales, int[] rows) => (this.blocks, this.scales, this.rows) = (blocks, scales, rows);

    /// <summary>What the codes stand for.</summary>
    public static Weights.Quantization Meaning { get; } = new() { GroupSize = GroupColumns };

    /// <inheritdoc/>
    public override long ByteLength => (long)rows.Length * Groups * (GroupBytes + 1);

    private int Groups => (int)scales.Shape[^1];

    /// <summary>A stand-in for the numbers that there are only codes of, [experts, K, rows] as such checkpoints store numbers; row after row from byte 0.</summary>
    /// <param name="name">Of the numbers.</param>
    /// <param name="blocks">Codes.</param>
    /// <param name="scales">Exponents.</param>
    /// <exception cref="WeftException">Codes or scales have the wrong shape.</exception>
    public static StoredTensor Numbers(string name, StoredTensor blocks, StoredTensor scales)
    {
        if (blocks.Shape is not [var experts, var rows, var groups, GroupBytes] || blocks.Type != StoredType.UInt8 || !blocks.IsContiguous)
            throw new WeftException($"{blocks.File}: tensor '{blocks.Name}' has the shape [{string.Join(", ", blocks.Shape)}], but [experts, rows, columns / 32, 16] bytes are expected");
        if (!scales.Shape.SequenceEqual([experts, rows, groups]) || scales.Type != StoredType.UInt8 || !scales.IsContiguous)
            throw new WeftException($"{scales.File}: tensor '{scales.Name}' has the shape [{string.Join(", ", scales.Shape)}], but [{experts}, {rows}, {groups}] bytes are expected");
        var columns = groups * GroupColumns;
        return new(name, StoredType.Float32, [experts, columns, rows], [rows * columns, 1, columns], blocks.File, 0);
    }

    /// <inheritdoc/>
    public override byte[] Pack(QuantizedLayout layout)
    {
        var (codes, exponents) = (Bytes(blocks), Bytes(scales));
        var bad = Array.IndexOf(exponents, (byte)NoNumber);
        if (bad >= 0)
            throw new WeftException($"{scales.File}: tensor '{scales.Name}' holds a scale that is no number at element {bad}");
        var result = new byte[layout.Length];
        // Rows of a block of tiles share bytes: a block is one thread's.
        Parallel.For(0, layout.RowBlocks, block =>
        {
            for (var row = block * QuantizedLayout.TileRows; row < Math.Min((block + 1) * QuantizedLayout.TileRows, rows.Length); row++)
            {
                for (var group = 0; group < Groups; group++)
                    PackGroup(layout, codes, exponents, result, row, group);
            }
        });
        return result;
    }

    private void PackGroup(QuantizedLayout layout, byte[] codes, byte[] exponents, byte[] result, int row, int group)
    {
        var source = ((long)rows[row] * Groups) + group;
        result[layout.Scales + layout.GroupIndex(row, group)] = exponents[source];
        for (var i = 0; i < GroupColumns; i++)
        {
            var column = (group * GroupColumns) + i;
            var code = (codes[(source * GroupBytes) + (i / 2)] >> (i % 2 * 4)) & 15;
            var (place, shift) = layout.Place(row % QuantizedLayout.TileRows, column % layout.TileColumns);
            result[layout.Tile(row / QuantizedLayout.TileRows, column / layout.TileColumns) + place] |= (byte)(code << shift);
        }
    }

    private static byte[] Bytes(StoredTensor tensor)
    {
        using var file = SourceReader.Open(tensor.File);
        var bytes = new byte[tensor.ByteLength];
        file.Read(bytes, tensor.Offset);
        return bytes;
    }
}

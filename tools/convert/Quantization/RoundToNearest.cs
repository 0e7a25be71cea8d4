using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Quantization;

/// <summary>
/// Quantizes a dense matrix to 4 bits by rounding: a group's codes span its smallest to its largest weight, zero included, so that zero has a
/// code of its own.
/// </summary>
internal sealed class RoundToNearest : QuantizedSource
{
    private const int MaxCode = 15;

    private readonly PlannedTensor dense;
    private readonly int groupSize;
    private readonly int partElements;

    /// <param name="dense">The matrix; read in float32.</param>
    /// <param name="groupSize">Columns that share a scale; −1 for all.</param>
    /// <param name="partElements">Numbers in memory at once: the projections of a layer's experts are one matrix, of up to billions.</param>
    /// <exception cref="WeftException">Groups do not divide the columns.</exception>
    public RoundToNearest(PlannedTensor dense, int groupSize, int partElements = 1 << 24)
    {
        this.partElements = partElements;
        this.dense = dense with { DataType = DataType.Float32 };
        var columns = dense.Shape[1];
        this.groupSize = groupSize == -1 ? columns : groupSize;
        if (!QuantizedLayout.IsGroupSize(this.groupSize, columns))
            throw new WeftException($"{dense.Source.Pieces[0].File}: tensor '{dense.Source.Pieces[0].Name}' has {columns} columns, for groups of {groupSize}; a group can have {QuantizedLayout.GroupSizes}");
    }

    /// <summary>How the packed tensor is quantized.</summary>
    public Weights.Quantization Quantization => new() { GroupSize = groupSize, ZeroPoints = true };

    /// <inheritdoc/>
    public override long ByteLength => dense.Source.ByteLength;

    /// <inheritdoc/>
    public override byte[] Pack(QuantizedLayout layout)
    {
        var bytes = new byte[layout.Length];
        var rows = Math.Max(1, partElements / dense.Shape[1] / QuantizedLayout.TileRows) * QuantizedLayout.TileRows;
        foreach (var (matrix, first, count) in Parts(rows))
            TilePacker.PackRows(matrix, layout, first, count, bytes);
        return bytes;
    }

    /// <summary>Rows that follow one another, at most <paramref name="most"/> at a time.</summary>
    private IEnumerable<(QuantizedMatrix Matrix, int FirstRow, int Rows)> Parts(int most)
    {
        var (rows, columns) = (dense.Shape[0], dense.Shape[1]);
        var weights = new float[Math.Min(most, rows) * columns];
        var (first, done) = (0, 0);
        using var reader = new TensorReader();
        foreach (var (bytes, _) in reader.Read(dense))
        {
            for (var read = 0; read < bytes.Length / sizeof(float);)
            {
                var piece = MemoryMarshal.Cast<byte, float>(bytes.Span)[read..];
                piece = piece[..Math.Min(piece.Length, weights.Length - done)];
                piece.CopyTo(weights.AsSpan(done));
                read += piece.Length;
                done += piece.Length;
                var here = done / columns;
                if (done < weights.Length && first + here < rows)
                    continue;
                yield return (Quantize(weights, here * columns), first, here);
                (first, done) = (first + here, 0);
            }
        }
    }

    private QuantizedMatrix Quantize(float[] weights, int count)
    {
        var groups = count / groupSize;
        var result = new QuantizedMatrix { Codes = new byte[count], Scales = new Half[groups], ZeroPoints = new byte[groups] };
        Parallel.For(0, groups, group => Quantize(
            weights.AsSpan(group * groupSize, groupSize), result.Codes.AsSpan(group * groupSize, groupSize), out result.Scales[group], out result.ZeroPoints[group]));
        return result;
    }

    private static void Quantize(ReadOnlySpan<float> weights, Span<byte> codes, out Half scale, out byte zeroPoint)
    {
        var (low, high) = (Math.Min(TensorPrimitives.Min(weights), 0), Math.Max(TensorPrimitives.Max(weights), 0));
        // The scale is rounded before anything is divided by it; one too small for f16, and that of a group of zeros, is f16's smallest.
        scale = (Half)Math.Max((high - low) / MaxCode, (float)Half.Epsilon);
        var step = (float)scale;
        zeroPoint = (byte)Math.Clamp(MathF.Round(-low / step), 0, MaxCode);
        for (var i = 0; i < weights.Length; i++)
            codes[i] = (byte)Math.Clamp(MathF.Round(weights[i] / step) + zeroPoint, 0, MaxCode);
    }
}

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

    /// <param name="dense">The matrix; read in float32.</param>
    /// <param name="groupSize">Columns that share a scale; −1 for all.</param>
    /// <exception cref="WeftException">Groups do not divide the columns.</exception>
    public RoundToNearest(PlannedTensor dense, int groupSize)
    {
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
    public override QuantizedMatrix Read()
    {
        var (rows, columns) = (dense.Shape[0], dense.Shape[1]);
        var groups = columns / groupSize;
        var weights = new float[(long)rows * columns];
        using (var reader = new TensorReader())
        {
            var done = 0;
            foreach (var (bytes, _) in reader.Read(dense))
            {
                var piece = MemoryMarshal.Cast<byte, float>(bytes.Span);
                piece.CopyTo(weights.AsSpan(done));
                done += piece.Length;
            }
        }

        var result = new QuantizedMatrix { Codes = new byte[weights.Length], Scales = new Half[rows * groups], ZeroPoints = new byte[rows * groups] };
        Parallel.For(0, rows * groups, group =>
        {
            var place = (long)group * groupSize;
            Quantize(weights.AsSpan((int)place, groupSize), result.Codes.AsSpan((int)place, groupSize), out result.Scales[group], out result.ZeroPoints[group]);
        });
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

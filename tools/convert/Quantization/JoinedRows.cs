using Weft.Weights;

namespace Weft.Convert.Quantization;

/// <summary>Matrices above one another, as the projections of experts lie: each is read and packed by itself.</summary>
/// <param name="parts">Each with its number of rows, which fill tiles.</param>
internal sealed class JoinedRows(IReadOnlyList<(MatrixSource Source, int Rows)> parts) : QuantizedSource
{
    /// <inheritdoc/>
    public override long ByteLength => parts.Sum(part => part.Source.ByteLength);

    /// <inheritdoc/>
    public override byte[] Pack(QuantizedLayout layout)
    {
        var bytes = new byte[layout.Length];
        var row = 0;
        foreach (var (source, rows) in parts)
        {
            TilePacker.PackRows(source.Read(), layout, row, rows, bytes);
            row += rows;
        }

        return bytes;
    }
}

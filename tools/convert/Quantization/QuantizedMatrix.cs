using Weft.Weights;

namespace Weft.Convert.Quantization;

/// <summary>A quantized matrix [M, K] on its way into tiles: w = (code − zero point) · scale.</summary>
internal sealed class QuantizedMatrix
{
    /// <summary>[M, K] codes, columns in stored order.</summary>
    public required byte[] Codes { get; init; }

    /// <summary>[M, K / group] f16.</summary>
    public required Half[] Scales { get; init; }

    /// <summary>[M, K / group]; empty without any, and where they are fractional.</summary>
    public required byte[] ZeroPoints { get; init; }

    /// <summary>[M, K / group] from the middle of the codes; empty where there are none of that kind.</summary>
    public Half[] FractionalZeroPoints { get; init; } = [];

    /// <summary>[K] the input column of each stored column; null where they are the same.</summary>
    public int[]? Order { get; init; }
}

/// <summary>A quantized tensor of the packed file: what it will look like, and how to get at its numbers when their turn comes.</summary>
internal abstract class QuantizedSource
{
    /// <summary>Bytes of the checkpoint that it is made of.</summary>
    public abstract long ByteLength { get; }

    /// <summary>Reads or computes it, in the packed file's order.</summary>
    /// <exception cref="WeftException">The checkpoint's numbers make no sense.</exception>
    public abstract byte[] Pack(QuantizedLayout layout);
}

/// <summary>One that comes as a whole matrix of codes.</summary>
internal abstract class MatrixSource : QuantizedSource
{
    /// <summary>Reads it.</summary>
    /// <exception cref="WeftException">The checkpoint's numbers make no sense.</exception>
    public abstract QuantizedMatrix Read();

    /// <inheritdoc/>
    public override byte[] Pack(QuantizedLayout layout) => TilePacker.Pack(Read(), layout);
}

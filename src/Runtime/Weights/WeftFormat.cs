using Weft.Tensors;

namespace Weft.Weights;

/// <summary>The numbers of <c>docs/format.md</c> that reader and writer share.</summary>
internal static class WeftFormat
{
    /// <summary>Format version this runtime reads and writes.</summary>
    public const uint Version = 3;

    /// <summary>Bytes before the header JSON: magic, version, header length, header checksum, zero.</summary>
    public const int FixedLength = 24;

    /// <summary>Tensors start at multiples of this: a memory page, and the widest alignment any load or transfer wants.</summary>
    public const int Alignment = 4096;

    /// <summary>Longest header accepted; a tokenizer of 150,000 tokens with as many merges takes 4 MB of it.</summary>
    public const long MaxHeaderLength = 1L << 30;

    /// <summary>The first four bytes of a packed file.</summary>
    public static ReadOnlySpan<byte> Magic => "WEFT"u8;

    /// <summary>The first multiple of <see cref="Alignment"/> at or after <paramref name="position"/>.</summary>
    public static long Align(long position) => checked(position + Alignment - 1) & -Alignment;

    /// <summary>Bytes of a tensor; throws <see cref="OverflowException"/> beyond 2^63.</summary>
    public static long ByteLength(TensorEntry entry)
    {
        if (entry.Quantization is not null)
            return entry.Tiles.Length;
        long length = entry.DataType.Size();
        foreach (var size in entry.Shape)
            length = checked(length * size);
        return length;
    }
}

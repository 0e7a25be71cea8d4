using System.Buffers;

namespace Weft.Convert.Checkpoints;

/// <summary>
/// Numbers that a file holds as blocks of codes; they become float32 while they are read. Such a tensor is a <see cref="StoredTensor"/> of
/// <see cref="StoredType.Float32"/> whose offset counts four bytes for each number from its first on, wherever its codes lie: views of it are made like others.
/// </summary>
/// <param name="offset">Byte of the file where the first block begins.</param>
/// <param name="blockElements">Numbers of a block.</param>
/// <param name="blockBytes">Bytes of their codes.</param>
public abstract class CodedNumbers(long offset, int blockElements, int blockBytes)
{
    /// <summary>The type that these numbers would be stored in; null where they have always been codes.</summary>
    public virtual StoredType? Type => null;

    /// <summary>Numbers of a block.</summary>
    protected int BlockElements => blockElements;

    /// <summary>Bytes of a block.</summary>
    protected int BlockBytes => blockBytes;

    /// <summary>Bytes of the codes of so many numbers.</summary>
    public long BytesOf(long elements) => elements * blockBytes / blockElements;

    /// <summary>Reads numbers.</summary>
    /// <param name="file">The file of the codes.</param>
    /// <param name="first">The first of them, in row-major order.</param>
    /// <param name="values">All of them.</param>
    internal void Read(SourceReader file, long first, Span<float> values)
    {
        var (block, skipped) = (first / blockElements, (int)(first % blockElements));
        var count = (skipped + values.Length + blockElements - 1) / blockElements;
        var codes = ArrayPool<byte>.Shared.Rent(count * blockBytes);
        var bytes = codes.AsSpan(0, count * blockBytes);
        ReadCodes(file, first - skipped, bytes);
        if (values.Length == count * blockElements)
        {
            Decode(block, bytes, values);
        }
        else
        {
            var whole = ArrayPool<float>.Shared.Rent(count * blockElements);
            Decode(block, bytes, whole.AsSpan(0, count * blockElements));
            whole.AsSpan(skipped, values.Length).CopyTo(values);
            ArrayPool<float>.Shared.Return(whole);
        }

        ArrayPool<byte>.Shared.Return(codes);
    }

    /// <summary>Reads whole blocks as they are.</summary>
    /// <param name="file">The file of the codes.</param>
    /// <param name="first">The first number of the first of them.</param>
    /// <param name="codes">All of them.</param>
    internal void ReadCodes(SourceReader file, long first, Span<byte> codes) => file.Read(codes, offset + BytesOf(first));

    /// <summary>Makes the numbers of whole blocks.</summary>
    /// <param name="block">The first of them.</param>
    /// <param name="codes">Their bytes.</param>
    /// <param name="values">Their numbers.</param>
    protected abstract void Decode(long block, ReadOnlySpan<byte> codes, Span<float> values);
}

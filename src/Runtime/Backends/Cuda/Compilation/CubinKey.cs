using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Weft.Interop;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>
/// SHA-256 of everything that decides what a compilation gives. Each part goes in behind its length, and each list behind its count, so
/// that no two different inputs read the same.
/// </summary>
internal sealed class CubinKey
{
    private readonly byte[] hash;

    private CubinKey(byte[] hash)
    {
        this.hash = hash;
        Name = Convert.ToHexStringLower(hash);
    }

    /// <summary>The hash in hexadecimal: the entry's file name without extension.</summary>
    public string Name { get; }

    /// <summary>The hash.</summary>
    public ReadOnlySpan<byte> Hash => hash;

    /// <summary>The key of one compilation.</summary>
    /// <param name="compiler">Identity of the compiler, which stands for its version.</param>
    /// <param name="file">Name of the kernel file.</param>
    /// <param name="source">Its text.</param>
    /// <param name="headers">All headers that it may include, in a fixed order.</param>
    /// <param name="expressions">Name expressions; their order counts, as it may in the compiler.</param>
    /// <param name="options">Compiler options, and what else they follow from.</param>
    public static CubinKey Of(
        string compiler, string file, string source, IReadOnlyList<CudaHeader> headers, IReadOnlyList<string> expressions, IReadOnlyList<string> options)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(sha, compiler);
        Append(sha, file);
        Append(sha, source);
        AppendList(sha, [.. headers.SelectMany(header => (string[])[header.Name, header.Text])]);
        AppendList(sha, expressions);
        AppendList(sha, options);
        return new CubinKey(sha.GetHashAndReset());
    }

    private static void AppendList(IncrementalHash sha, IReadOnlyList<string> items)
    {
        AppendCount(sha, items.Count);
        foreach (var item in items)
            Append(sha, item);
    }

    private static void Append(IncrementalHash sha, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        AppendCount(sha, bytes.Length);
        sha.AppendData(bytes);
    }

    private static void AppendCount(IncrementalHash sha, int count)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, count);
        sha.AppendData(bytes);
    }
}

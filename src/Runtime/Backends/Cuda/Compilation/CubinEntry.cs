using System.Security.Cryptography;
using System.Text;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>
/// The bytes of a cache entry: magic, the key's hash, the lowered names, the image, and a SHA-256 of all of that, so that a truncated,
/// damaged or misnamed file is told from a good one before anything in it is believed.
/// </summary>
internal static class CubinEntry
{
    private static ReadOnlySpan<byte> Magic => "WEFTCUB1"u8;

    /// <summary>The entry of <paramref name="compiled"/> under <paramref name="key"/>.</summary>
    public static byte[] Write(CubinKey key, CompiledKernels compiled)
    {
        using var stream = new MemoryStream(compiled.Image.Length + 4096);
        using (var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Magic);
            writer.Write(key.Hash);
            writer.Write(compiled.LoweredNames.Count);
            foreach (var (expression, name) in compiled.LoweredNames)
            {
                writer.Write(expression);
                writer.Write(name);
            }

            writer.Write(compiled.Image.Length);
            writer.Write(compiled.Image.Span);
        }

        stream.Write(SHA256.HashData(stream.GetBuffer().AsSpan(0, (int)stream.Length)));
        return stream.ToArray();
    }

    /// <summary>Reads the entry of <paramref name="key"/>, or null when these bytes are not one.</summary>
    public static CompiledKernels? TryRead(CubinKey key, byte[] bytes)
    {
        var end = bytes.Length - SHA256.HashSizeInBytes;
        if (end < Magic.Length + SHA256.HashSizeInBytes
            || !bytes.AsSpan(0, Magic.Length).SequenceEqual(Magic)
            || !bytes.AsSpan(Magic.Length, SHA256.HashSizeInBytes).SequenceEqual(key.Hash)
            || !SHA256.HashData(bytes.AsSpan(0, end)).AsSpan().SequenceEqual(bytes.AsSpan(end)))
        {
            return null;
        }

        // The checksum agrees: from here on it is what Write wrote.
        using var stream = new MemoryStream(bytes, 0, end);
        using var reader = new BinaryReader(stream, Encoding.UTF8);
        stream.Position = Magic.Length + SHA256.HashSizeInBytes;
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var count = reader.ReadInt32(); count > 0; count--)
            names.Add(reader.ReadString(), reader.ReadString());
        return new CompiledKernels(reader.ReadBytes(reader.ReadInt32()), names);
    }
}

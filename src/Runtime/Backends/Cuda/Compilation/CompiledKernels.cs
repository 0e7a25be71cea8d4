using System.Security.Cryptography;
using System.Text;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>The image of one compilation and the names of its instances in it; what a cache entry holds.</summary>
/// <param name="Image">Cubin or PTX.</param>
/// <param name="LoweredNames">By name expression.</param>
internal sealed record CompiledKernels(ReadOnlyMemory<byte> Image, IReadOnlyDictionary<string, string> LoweredNames)
{
    private const int HashBytes = 32;

    private static ReadOnlySpan<byte> Magic => "weftcub1"u8;

    /// <summary>Magic, SHA-256 of the rest, then counts and lengths before each piece.</summary>
    public byte[] Serialize()
    {
        using var stream = new MemoryStream();
        using (var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(LoweredNames.Count);
            foreach (var (expression, name) in LoweredNames)
            {
                writer.Write(expression);
                writer.Write(name);
            }

            writer.Write(Image.Length);
            writer.Write(Image.Span);
        }

        var body = stream.ToArray();
        return [.. Magic, .. SHA256.HashData(body), .. body];
    }

    /// <summary>Reads what <see cref="Serialize"/> wrote; null when a byte of it is not what was written.</summary>
    public static CompiledKernels? Deserialize(byte[] bytes)
    {
        var head = Magic.Length + HashBytes;
        if (bytes.Length < head || !bytes.AsSpan().StartsWith(Magic) || !SHA256.HashData(bytes.AsSpan(head)).AsSpan().SequenceEqual(bytes.AsSpan(Magic.Length, HashBytes)))
            return null;
        using var reader = new BinaryReader(new MemoryStream(bytes, head, bytes.Length - head), Encoding.UTF8);
        var names = new Dictionary<string, string>();
        for (var count = reader.ReadInt32(); count > 0; count--)
            names[reader.ReadString()] = reader.ReadString();
        return new(reader.ReadBytes(reader.ReadInt32()), names);
    }
}

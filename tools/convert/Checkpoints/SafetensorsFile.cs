using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Weft.Convert.Checkpoints;

/// <summary>
/// A safetensors file: u64 header length, JSON header, then the tensors without gaps. The header is checked against the file before
/// anything is believed; tensor data is read on demand.
/// </summary>
public sealed class SafetensorsFile
{
    // The format's own reader refuses longer headers.
    private const ulong MaxHeaderLength = 100_000_000;

    private SafetensorsFile(string path, IReadOnlyDictionary<string, StoredTensor> tensors) => (Path, Tensors) = (path, tensors);

    /// <summary>The file's path, as given.</summary>
    public string Path { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, StoredTensor> Tensors { get; }

    /// <summary>Reads and checks the header.</summary>
    /// <exception cref="WeftException">The file does not exist, is truncated, or its header contradicts itself or the file.</exception>
    public static SafetensorsFile Open(string path)
    {
        using var file = SourceReader.Open(path);
        if (file.Length < sizeof(ulong))
            throw Other($"{file.Length} bytes are too few for a safetensors file");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(file.Read(0, sizeof(ulong)));
        if (length > MaxHeaderLength || (long)length > file.Length - sizeof(ulong))
            throw Other($"the header is said to have {length} bytes, but the file has {file.Length} in all");
        var dataStart = sizeof(ulong) + (long)length;
        return new SafetensorsFile(path, SafetensorsHeader.Read(path, file.Read(sizeof(ulong), (int)length), dataStart, file.Length));

        WeftException Other(string otherwise) => new($"{path}: {(file.Explain() is { } kind ? $"this is not a safetensors file: {kind}" : otherwise)}");
    }

    /// <summary>Reads a tensor as float32; other floating-point types are converted.</summary>
    /// <exception cref="WeftException">There is no such tensor, or it holds no floating-point numbers.</exception>
    public float[] ReadSingles(string name)
    {
        var (tensor, bytes) = ReadBytes(name);
        if (!tensor.Type.IsFloat())
            throw new WeftException($"{Path}: tensor '{name}' is of type {tensor.Type}, expected floating point");
        var values = new float[tensor.Count];
        Elements.ToSingle(tensor.Type, bytes, values);
        return values;
    }

    /// <summary>Reads a tensor of 32- or 64-bit integers.</summary>
    /// <exception cref="WeftException">There is no such tensor, or it holds no such integers.</exception>
    public long[] ReadIntegers(string name)
    {
        var (tensor, bytes) = ReadBytes(name);
        return tensor.Type switch
        {
            StoredType.Int64 => MemoryMarshal.Cast<byte, long>(bytes).ToArray(),
            StoredType.Int32 => Array.ConvertAll(MemoryMarshal.Cast<byte, int>(bytes).ToArray(), value => (long)value),
            _ => throw new WeftException($"{Path}: tensor '{name}' is of type {tensor.Type}, expected integers"),
        };
    }

    private (StoredTensor Tensor, byte[] Bytes) ReadBytes(string name)
    {
        if (!Tensors.TryGetValue(name, out var tensor))
            throw new WeftException($"{Path}: there is no tensor '{name}'");
        if (tensor.ByteLength > Array.MaxLength)
            throw new WeftException($"{Path}: tensor '{name}' is too large to be read at once");
        using var file = SourceReader.Open(Path);
        return (tensor, file.Read(tensor.Offset, (int)tensor.ByteLength));
    }
}

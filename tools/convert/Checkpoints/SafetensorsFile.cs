using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

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
            throw new WeftException($"{path}: {file.Length} bytes are too few for a safetensors file");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(file.Read(0, sizeof(ulong)));
        if (length > MaxHeaderLength || (long)length > file.Length - sizeof(ulong))
            throw new WeftException($"{path}: the header is said to have {length} bytes, but the file has {file.Length} in all");
        var dataStart = sizeof(ulong) + (long)length;
        var tensors = ReadHeader(path, file.Read(sizeof(ulong), (int)length), dataStart);
        CheckPlaces(path, tensors, dataStart, file.Length);
        return new SafetensorsFile(path, tensors.ToDictionary(tensor => tensor.Name));
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

    private static List<StoredTensor> ReadHeader(string path, byte[] json, long dataStart)
    {
        var tensors = new List<StoredTensor>();
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name != "__metadata__")
                    tensors.Add(ReadTensor(path, property, dataStart));
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new WeftException($"{path}: the header is not a JSON object of tensors with unique names", exception);
        }

        return tensors;
    }

    private static StoredTensor ReadTensor(string path, JsonProperty property, long dataStart)
    {
        try
        {
            var value = property.Value;
            var typeName = value.GetProperty("dtype").GetString();
            var type = ParseType(typeName)
                ?? throw new WeftException($"{path}: tensor '{property.Name}' has the unsupported type {typeName}");
            var shape = value.GetProperty("shape").EnumerateArray().Select(size => checked((long)size.GetUInt64())).ToArray();
            var offsets = value.GetProperty("data_offsets").EnumerateArray().Select(offset => checked((long)offset.GetUInt64())).ToArray();
            if (offsets.Length != 2 || offsets[0] > offsets[1])
                throw new WeftException($"{path}: tensor '{property.Name}' has no valid data_offsets");
            var expected = shape.Aggregate((long)type.Size(), (product, size) => checked(product * size));
            if (offsets[1] - offsets[0] != expected)
            {
                throw new WeftException(
                    $"{path}: tensor '{property.Name}' has {offsets[1] - offsets[0]} bytes, but its shape and type take {expected}");
            }

            return new(property.Name, type, shape, StoredTensor.RowMajorStrides(shape), path, checked(dataStart + offsets[0]));
        }
        catch (Exception exception) when (exception is KeyNotFoundException or FormatException or OverflowException or InvalidOperationException)
        {
            throw new WeftException($"{path}: tensor '{property.Name}' has no valid dtype, shape and data_offsets", exception);
        }
    }

    private static void CheckPlaces(string path, List<StoredTensor> tensors, long dataStart, long fileLength)
    {
        var end = dataStart;
        foreach (var tensor in tensors.OrderBy(tensor => tensor.Offset).ThenBy(tensor => tensor.ByteLength))
        {
            if (tensor.ByteLength > fileLength - tensor.Offset)
                throw new WeftException($"{path}: the file has {fileLength} bytes and ends before tensor '{tensor.Name}' does");
            if (tensor.Offset != end)
                throw new WeftException($"{path}: tensor '{tensor.Name}' {(tensor.Offset < end ? "overlaps" : "leaves a gap after")} its predecessor");
            end = tensor.Offset + tensor.ByteLength;
        }

        if (end != fileLength)
            throw new WeftException($"{path}: {fileLength - end} bytes follow the last tensor");
    }

    private static StoredType? ParseType(string? name) => name switch
    {
        "F64" => StoredType.Float64,
        "F32" => StoredType.Float32,
        "F16" => StoredType.Float16,
        "BF16" => StoredType.BFloat16,
        "F8_E4M3" => StoredType.Float8,
        "I64" => StoredType.Int64,
        "I32" => StoredType.Int32,
        "I16" => StoredType.Int16,
        "I8" => StoredType.Int8,
        "U8" => StoredType.UInt8,
        "BOOL" => StoredType.Boolean,
        _ => null,
    };
}

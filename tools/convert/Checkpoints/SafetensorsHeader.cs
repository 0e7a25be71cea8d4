using System.Text.Json;

namespace Weft.Convert.Checkpoints;

/// <summary>
/// The JSON header of a safetensors file. It is read token by token: a document of so many small objects takes several times as long, which of a hostile
/// header is seconds.
/// </summary>
internal static class SafetensorsHeader
{
    // What PyTorch allows.
    private const int MostDimensions = 64;

    /// <summary>Reads a header and holds it against the file.</summary>
    /// <param name="path">The file's.</param>
    /// <param name="json">The header.</param>
    /// <param name="dataStart">Where the tensors begin.</param>
    /// <param name="fileLength">Where they must end.</param>
    /// <exception cref="WeftException">It is none, or contradicts itself or the file.</exception>
    public static IReadOnlyDictionary<string, StoredTensor> Read(string path, byte[] json, long dataStart, long fileLength)
    {
        var tensors = new Dictionary<string, StoredTensor>();
        var (end, inOrder) = (dataStart, true);
        try
        {
            var reader = new Utf8JsonReader(json);
            Expect(ref reader, JsonTokenType.StartObject);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = reader.GetString()!;
                if (name == "__metadata__")
                {
                    reader.Skip();
                    continue;
                }

                var tensor = ReadTensor(path, name, ref reader, dataStart);
                if (!tensors.TryAdd(name, tensor))
                    throw new JsonException($"'{name}' is there twice");
                (inOrder, end) = (inOrder && tensor.Offset == end, tensor.Offset + tensor.ByteLength);
            }

            reader.Read(); // nothing follows
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new WeftException($"{path}: the header is not a JSON object of tensors with unique names", exception);
        }

        // Almost every writer stores them in the header's order.
        if (!inOrder || end != fileLength)
            CheckPlaces(path, tensors.Values, dataStart, fileLength);
        return tensors;
    }

    private static StoredTensor ReadTensor(string path, string name, ref Utf8JsonReader reader, long dataStart)
    {
        try
        {
            var (typeName, shape, offsets) = ((string?)null, (List<long>?)null, (List<long>?)null);
            Expect(ref reader, JsonTokenType.StartObject);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("dtype"u8))
                {
                    Expect(ref reader, JsonTokenType.String);
                    typeName = typeName is null ? reader.GetString() : throw Twice();
                }
                else if (reader.ValueTextEquals("shape"u8))
                {
                    shape = shape is null ? ReadNumbers(ref reader) : throw Twice();
                }
                else if (reader.ValueTextEquals("data_offsets"u8))
                {
                    offsets = offsets is null ? ReadNumbers(ref reader) : throw Twice();
                }
                else
                {
                    reader.Skip();
                }
            }

            if (typeName is null || shape is null || offsets is null)
                throw new FormatException("one of the members is missing");
            var type = ParseType(typeName) ?? throw new WeftException($"{path}: tensor '{name}' has the unsupported type {typeName}");
            if (offsets is not [var start, var end] || start > end)
                throw new WeftException($"{path}: tensor '{name}' has no valid data_offsets");
            var expected = (long)type.Size();
            foreach (var size in shape)
                expected = checked(expected * size);
            _ = checked(dataStart + end);
            return end - start == expected
                ? new(name, type, shape, StoredTensor.RowMajorStrides(shape), path, dataStart + start)
                : throw new WeftException($"{path}: tensor '{name}' has {end - start} bytes, but its shape and type take {expected}");
        }
        catch (Exception exception) when (exception is FormatException or OverflowException or InvalidOperationException)
        {
            throw new WeftException($"{path}: tensor '{name}' has no valid dtype, shape and data_offsets", exception);
        }

        static FormatException Twice() => new("one of the members is there twice");
    }

    private static List<long> ReadNumbers(ref Utf8JsonReader reader)
    {
        var numbers = new List<long>();
        Expect(ref reader, JsonTokenType.StartArray);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            numbers.Add(numbers.Count < MostDimensions ? checked((long)reader.GetUInt64()) : throw new FormatException("there are too many dimensions"));
        return numbers;
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType kind)
    {
        if (!reader.Read() || reader.TokenType != kind)
            throw new InvalidOperationException($"{kind} is expected, not {reader.TokenType}");
    }

    private static void CheckPlaces(string path, IEnumerable<StoredTensor> tensors, long dataStart, long fileLength)
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

    private static StoredType? ParseType(string name) => name switch
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

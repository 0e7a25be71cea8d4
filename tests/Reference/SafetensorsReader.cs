using System.Buffers.Binary;
using System.Text.Json;

namespace Weft.Reference;

/// <summary>Reads small safetensors files whole: 8 bytes of header length, the JSON header, then the tensors' bytes.</summary>
public static class SafetensorsReader
{
    /// <summary>Every tensor of the file as double, row-major.</summary>
    public static Dictionary<string, double[]> Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var data = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using var header = JsonDocument.Parse(bytes.AsMemory(8, data - 8));
        var tensors = new Dictionary<string, double[]>();
        foreach (var entry in header.RootElement.EnumerateObject().Where(e => e.Name != "__metadata__"))
        {
            var offsets = entry.Value.GetProperty("data_offsets");
            var (begin, end) = (data + offsets[0].GetInt32(), data + offsets[1].GetInt32());
            tensors[entry.Name] = Decode(entry.Value.GetProperty("dtype").GetString(), bytes.AsSpan(begin..end));
        }

        return tensors;
    }

    private static double[] Decode(string? type, ReadOnlySpan<byte> bytes)
    {
        var size = type switch { "BF16" or "F16" => 2, "F32" => 4, "I64" => 8, _ => throw new NotSupportedException($"dtype {type}") };
        var values = new double[bytes.Length / size];
        for (var i = 0; i < values.Length; i++)
        {
            var element = bytes.Slice(i * size, size);
            values[i] = type switch
            {
                "BF16" => NumberFormats.FromBFloat16(BinaryPrimitives.ReadUInt16LittleEndian(element)),
                "F16" => NumberFormats.FromFloat16(BinaryPrimitives.ReadUInt16LittleEndian(element)),
                "F32" => BinaryPrimitives.ReadSingleLittleEndian(element),
                _ => BinaryPrimitives.ReadInt64LittleEndian(element),
            };
        }

        return values;
    }
}

using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Weft.Reference;

/// <summary>Writes what stands before the data of a safetensors file: 8 bytes of header length and the JSON header.</summary>
public static class SafetensorsWriter
{
    /// <summary>A tensor of the file to be.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Type">The format's name of the element type, such as <c>BF16</c>.</param>
    /// <param name="Shape">Sizes, outermost first.</param>
    /// <param name="Bytes">Length of its data.</param>
    public sealed record Row(string Name, string Type, IReadOnlyList<int> Shape, long Bytes);

    /// <summary>Writes the header of a file whose tensors' data follow in the order of <paramref name="rows"/> without gaps.</summary>
    public static void WriteHeader(Stream file, IEnumerable<Row> rows)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(rows);
        var (entries, end) = (new List<string>(), 0L);
        foreach (var row in rows)
        {
            entries.Add($"\"{JsonEncodedText.Encode(row.Name)}\":{{\"dtype\":\"{row.Type}\",\"shape\":[{string.Join(',', row.Shape)}],\"data_offsets\":[{end},{end + row.Bytes}]}}");
            end += row.Bytes;
        }

        var json = Encoding.UTF8.GetBytes($"{{{string.Join(',', entries)}}}");
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        file.Write(length);
        file.Write(json);
    }
}

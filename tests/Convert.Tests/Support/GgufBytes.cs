using System.Text;

namespace Weft.Convert.Tests.Support;

/// <summary>A tensor of a GGUF file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Type">ggml's number of its type.</param>
/// <param name="Bytes">Its elements or blocks.</param>
internal sealed record GgufTensorBytes(string Name, int[] Shape, uint Type, byte[] Bytes);

/// <summary>Writes GGUF files.</summary>
internal static class GgufBytes
{
    private const int Alignment = 32;
    private const uint UInt32 = 4;
    private const uint Int32 = 5;
    private const uint Float32 = 6;
    private const uint Flag = 7;
    private const uint Text = 8;
    private const uint List = 9;

    /// <summary>A file of version 3 without tensors.</summary>
    public static byte[] Write(params (string Key, object Value)[] metadata) => Write(metadata, []);

    /// <summary>A file of version 3; values are texts, numbers, flags, or arrays of texts or of numbers.</summary>
    public static byte[] Write(IReadOnlyList<(string Key, object Value)> metadata, IReadOnlyList<GgufTensorBytes> tensors)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)metadata.Count);
        foreach (var (key, value) in metadata)
        {
            WriteText(writer, key);
            WriteValue(writer, key, value);
        }

        var offset = 0;
        foreach (var tensor in tensors)
        {
            WriteText(writer, tensor.Name);
            writer.Write(tensor.Shape.Length);
            foreach (var size in tensor.Shape.Reverse())
                writer.Write((ulong)size);
            writer.Write(tensor.Type);
            writer.Write((ulong)offset);
            offset += Aligned(tensor.Bytes.Length);
        }

        foreach (var tensor in tensors)
        {
            Align(writer);
            writer.Write(tensor.Bytes);
        }

        Align(writer);
        return bytes.ToArray();
    }

    private static int Aligned(int length) => (length + Alignment - 1) / Alignment * Alignment;

    private static void Align(BinaryWriter writer) => writer.Write(new byte[Aligned((int)writer.BaseStream.Length) - (int)writer.BaseStream.Length]);

    private static void WriteValue(BinaryWriter writer, string key, object value)
    {
        switch (value)
        {
            case string text:
                writer.Write(Text);
                WriteText(writer, text);
                break;
            case int number:
                writer.Write(UInt32);
                writer.Write(number);
                break;
            case float number:
                writer.Write(Float32);
                writer.Write(number);
                break;
            case bool flag:
                writer.Write(Flag);
                writer.Write(flag);
                break;
            case string[] texts:
                WriteList(writer, Text, texts, item => WriteText(writer, item));
                break;
            case int[] numbers:
                WriteList(writer, Int32, numbers, writer.Write);
                break;
            default:
                throw new ArgumentException($"{key}: values of type {value.GetType()} are not written");
        }
    }

    private static void WriteList<T>(BinaryWriter writer, uint type, T[] items, Action<T> write)
    {
        writer.Write(List);
        writer.Write(type);
        writer.Write((ulong)items.Length);
        foreach (var item in items)
            write(item);
    }

    private static void WriteText(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }
}

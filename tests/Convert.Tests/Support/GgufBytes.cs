using System.Text;

namespace Weft.Convert.Tests.Support;

/// <summary>Writes GGUF files that hold metadata and no tensors.</summary>
internal static class GgufBytes
{
    private const uint Int32 = 5;
    private const uint Text = 8;
    private const uint List = 9;

    /// <summary>A file of version 3; values are texts, or arrays of texts or of numbers.</summary>
    public static byte[] Write(params (string Key, object Value)[] metadata)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write(0ul);
        writer.Write((ulong)metadata.Length);
        foreach (var (key, value) in metadata)
        {
            WriteText(writer, key);
            switch (value)
            {
                case string text:
                    writer.Write(Text);
                    WriteText(writer, text);
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

        return bytes.ToArray();
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

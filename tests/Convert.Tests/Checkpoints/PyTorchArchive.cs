using System.IO.Compression;
using System.Text;

namespace Weft.Convert.Tests.Checkpoints;

/// <summary>Writes archives as torch.save does, and pickles opcode by opcode.</summary>
internal sealed class PyTorchArchive
{
    private readonly List<byte> pickle = [0x80, 2];
    private readonly Dictionary<string, byte[]> storages = [];

    /// <summary>Adds a storage of raw bytes.</summary>
    public PyTorchArchive Storage(string key, byte[] bytes)
    {
        storages[key] = bytes;
        return this;
    }

    /// <summary>A tensor of a storage: what torch._utils._rebuild_tensor_v2 is called with.</summary>
    public static byte[] Tensor(string type, string key, int elements, int offset, int[] shape, int[] strides) =>
    [
        .. Global("torch._utils", "_rebuild_tensor_v2"), .. "("u8,
        .. "("u8, .. Text("storage"), .. Global("torch", type), .. Text(key), .. Text("cpu"), .. Number(elements), .. "tQ"u8,
        .. Number(offset), .. Tuple(shape), .. Tuple(strides), 0x89, .. Global("collections", "OrderedDict"), .. ")R"u8,
        .. "tR"u8,
    ];

    public static byte[] Global(string module, string name) => [.. "c"u8, .. Encoding.UTF8.GetBytes($"{module}\n{name}\n")];

    public static byte[] Text(string text) => [.. "X"u8, .. BitConverter.GetBytes(Encoding.UTF8.GetByteCount(text)), .. Encoding.UTF8.GetBytes(text)];

    public static byte[] Number(int number) => [.. "J"u8, .. BitConverter.GetBytes(number)];

    public static byte[] Tuple(params int[] numbers) => [.. "("u8, .. numbers.SelectMany(Number), .. "t"u8];

    /// <summary>A dictionary of the given keys and pickled values.</summary>
    public static byte[] Dictionary(params (string Key, byte[] Value)[] items) =>
        [.. "}("u8, .. items.SelectMany(item => (byte[])[.. Text(item.Key), .. item.Value]), .. "u"u8];

    /// <summary>Sets the pickle's value.</summary>
    public PyTorchArchive Value(byte[] opcodes)
    {
        pickle.AddRange(opcodes);
        pickle.AddRange("."u8);
        return this;
    }

    /// <summary>Writes the archive.</summary>
    public void Write(string path, CompressionLevel level = CompressionLevel.NoCompression, string byteOrder = "little")
    {
        using var zip = new ZipArchive(File.Create(path), ZipArchiveMode.Create);
        Add("archive/data.pkl", [.. pickle]);
        Add("archive/byteorder", Encoding.UTF8.GetBytes(byteOrder));
        foreach (var (key, bytes) in storages)
            Add($"archive/data/{key}", bytes);
        Add("archive/version", "3\n"u8.ToArray());

        void Add(string name, byte[] bytes)
        {
            using var stream = zip.CreateEntry(name, level).Open();
            stream.Write(bytes);
        }
    }
}

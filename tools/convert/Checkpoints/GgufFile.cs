using System.Text;

namespace Weft.Convert.Checkpoints;

/// <summary>
/// The directory of a GGUF file (versions 2 and 3, little-endian): its metadata and where its tensors lie. Nothing in it is trusted; every
/// length is checked against the file before memory is taken for it.
/// </summary>
internal sealed class GgufFile
{
    private const int DeepestArray = 4;

    private readonly string path;
    private readonly byte[] bytes;
    private readonly long fileLength;
    private readonly Dictionary<string, object> metadata = [];
    private readonly List<GgufTensor> tensors = [];
    private int at;

    private GgufFile(string path, byte[] bytes, long fileLength)
    {
        this.path = path;
        this.bytes = bytes;
        this.fileLength = fileLength;
    }

    /// <summary>Its path.</summary>
    public string Path => path;

    /// <summary>Rows of the tensors, in file order; offsets count from <see cref="DataOffset"/>.</summary>
    public IReadOnlyList<GgufTensor> Tensors => tensors;

    /// <summary>Where the tensors' bytes begin in the file.</summary>
    public long DataOffset { get; private set; }

    /// <summary>Reads the directory of a file.</summary>
    /// <exception cref="WeftException">It is none, is damaged or cannot be read.</exception>
    public static GgufFile Open(string path)
    {
        using var source = SourceReader.Open(path);
        // The directory comes first; its length is nowhere said, and those of large vocabularies take a few megabytes.
        var file = new GgufFile(path, source.Read(0, (int)Math.Min(source.Length, 1 << 28)), source.Length);
        file.Read();
        return file;
    }

    /// <summary>A value of the metadata, if it is there and has this type: long, double, bool, string or a list of one of them.</summary>
    public T? Find<T>(string key)
        where T : class => metadata.GetValueOrDefault(key) as T;

    /// <summary>A number of the metadata, or null.</summary>
    public long? FindInteger(string key) => metadata.GetValueOrDefault(key) as long?;

    /// <summary>A number with a fraction, or null.</summary>
    public double? FindNumber(string key) => metadata.GetValueOrDefault(key) as double? ?? FindInteger(key);

    /// <summary>A flag of the metadata.</summary>
    public bool FindFlag(string key, bool whenMissing) => metadata.GetValueOrDefault(key) as bool? ?? whenMissing;

    /// <summary>Where the elements or the blocks of a tensor lie.</summary>
    /// <param name="tensor">One of <see cref="Tensors"/>.</param>
    /// <param name="name">What it is called from now on.</param>
    /// <exception cref="WeftException">It is of a type that is not read, or lies outside the file.</exception>
    public StoredTensor Locate(GgufTensor tensor, string name)
    {
        StoredType? plain = tensor.Type switch
        {
            0 => StoredType.Float32,
            1 => StoredType.Float16,
            28 => StoredType.Float64,
            30 => StoredType.BFloat16,
            _ => null,
        };
        var offset = DataOffset + tensor.Offset;
        var count = tensor.Shape.Count > 0 ? 1L : 0;
        foreach (var size in tensor.Shape)
            count = size > 0 && count <= long.MaxValue / 16 / size ? count * size : 0;
        if (count == 0)
            throw Error($"tensor '{Printable.Of(tensor.Name)}' has an impossible shape");
        StoredTensor stored;
        if (plain is { } type)
        {
            stored = new(name, type, tensor.Shape, StoredTensor.RowMajorStrides(tensor.Shape), path, offset);
        }
        else
        {
            if (!GgufBlockType.All.TryGetValue(tensor.Type, out var blocks))
                throw Error($"tensor '{Printable.Of(tensor.Name)}' is of ggml's type {tensor.Type}, which is not read; F32, F16, BF16, {string.Join(", ", GgufBlockType.All.Values.Select(known => known.Name))} are");
            if (tensor.Shape[^1] % blocks.Elements != 0)
                throw Error($"tensor '{Printable.Of(tensor.Name)}' has {tensor.Shape[^1]} columns, which are no whole blocks of {blocks.Elements} of {blocks.Name}");
            stored = new(name, StoredType.Float32, tensor.Shape, StoredTensor.RowMajorStrides(tensor.Shape), path, 0) { Coded = new GgufBlocks(offset, blocks) };
        }

        if (tensor.Offset < 0 || tensor.Offset > fileLength || stored.ByteLength > fileLength - offset)
            throw Error($"tensor '{Printable.Of(tensor.Name)}' lies outside the file, as in one that was not downloaded whole");
        return stored;
    }

    /// <summary>A complaint about the file.</summary>
    public WeftException Error(string what) => new($"{path}: {what}");

    private void Read()
    {
        if (!Take(4).SequenceEqual("GGUF"u8))
            throw Error("this is not a GGUF file");
        var version = BitConverter.ToUInt32(Take(4));
        if (version is not (2 or 3))
            throw Error($"GGUF version {version} is not read; versions 2 and 3 are");
        var tensorCount = Count(24);
        var pairCount = Count(12);
        for (var i = 0; i < pairCount; i++)
        {
            var key = Text();
            if (!metadata.TryAdd(key, Value((GgufType)BitConverter.ToUInt32(Take(4)), 0)))
                throw Error($"the key '{key}' is there twice");
        }

        for (var i = 0; i < tensorCount; i++)
        {
            var name = Text();
            var shape = new long[BitConverter.ToUInt32(Take(4)) is <= 8 and var rank ? rank : throw Error($"tensor '{name}' has too many dimensions")];
            for (var k = shape.Length - 1; k >= 0; k--)
                shape[k] = BitConverter.ToInt64(Take(8)); // the innermost comes first
            tensors.Add(new(name, shape, BitConverter.ToUInt32(Take(4)), BitConverter.ToInt64(Take(8))));
        }

        var alignment = FindInteger("general.alignment") ?? 32;
        if (alignment is < 1 or > 1 << 20)
            throw Error($"an alignment of {alignment} makes no sense");
        DataOffset = (at + alignment - 1) / alignment * alignment;
    }

    private ReadOnlySpan<byte> Take(long length)
    {
        if (length < 0 || length > bytes.Length - at)
            throw Error("the file ends inside its directory");
        at += (int)length;
        return bytes.AsSpan(at - (int)length, (int)length);
    }

    /// <summary>A count of things that take at least so many bytes each.</summary>
    private int Count(int leastBytes)
    {
        var count = BitConverter.ToUInt64(Take(8));
        return count <= (ulong)(bytes.Length - at) / (ulong)leastBytes ? (int)count : throw Error("the file ends inside its directory");
    }

    private string Text() => Encoding.UTF8.GetString(Take(Count(1)));

    private object Value(GgufType type, int depth)
    {
        switch (type)
        {
            case GgufType.Text:
                return Text();
            case GgufType.Flag:
                return Take(1)[0] != 0;
            case GgufType.Float32 or GgufType.Float64:
                return Number(type);
            case GgufType.List:
                return List(depth);
            default:
                return Integer(type);
        }
    }

    private object List(int depth)
    {
        if (depth > DeepestArray)
            throw Error("lists are nested too deep");
        var type = (GgufType)BitConverter.ToUInt32(Take(4));
        var count = Count(type is GgufType.Text ? 8 : type is GgufType.List ? 12 : 1);
        switch (type)
        {
            case GgufType.Text:
                return Fill(count, Text);
            case GgufType.Float32 or GgufType.Float64:
                return Fill(count, () => Number(type));
            case GgufType.Flag or GgufType.List:
                return Fill(count, () => Value(type, depth + 1));
            default:
                return Fill(count, () => Integer(type));
        }
    }

    private static List<T> Fill<T>(int count, Func<T> read)
    {
        var list = new List<T>(count);
        for (var i = 0; i < count; i++)
            list.Add(read());
        return list;
    }

    private double Number(GgufType type) => type == GgufType.Float32 ? BitConverter.ToSingle(Take(4)) : BitConverter.ToDouble(Take(8));

    private long Integer(GgufType type) => type switch
    {
        GgufType.UInt8 => Take(1)[0],
        GgufType.Int8 => (sbyte)Take(1)[0],
        GgufType.UInt16 => BitConverter.ToUInt16(Take(2)),
        GgufType.Int16 => BitConverter.ToInt16(Take(2)),
        GgufType.UInt32 => BitConverter.ToUInt32(Take(4)),
        GgufType.Int32 => BitConverter.ToInt32(Take(4)),
        GgufType.UInt64 or GgufType.Int64 => BitConverter.ToInt64(Take(8)),
        _ => throw Error($"the value type {(uint)type} is not known"),
    };

    private enum GgufType : uint
    {
        UInt8 = 0,
        Int8 = 1,
        UInt16 = 2,
        Int16 = 3,
        UInt32 = 4,
        Int32 = 5,
        Float32 = 6,
        Flag = 7,
        Text = 8,
        List = 9,
        UInt64 = 10,
        Int64 = 11,
        Float64 = 12,
    }
}

/// <summary>A tensor of a GGUF file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Type">ggml's number of the element or block type.</param>
/// <param name="Offset">Bytes from the beginning of the data.</param>
internal sealed record GgufTensor(string Name, IReadOnlyList<long> Shape, uint Type, long Offset);

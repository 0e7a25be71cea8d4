namespace Weft.Convert.Checkpoints;

/// <summary>
/// A PyTorch checkpoint as <c>torch.save</c> writes it since 1.6: a zip archive with a pickle of the state dict and one entry of raw bytes
/// per storage. Nothing of the pickle is executed; see <see cref="PickleReader"/>.
/// </summary>
internal static class PyTorchFile
{
    // A tensor takes about 150 bytes. A byte of a hostile pickle can ask for a dictionary, so memory is a large multiple of this.
    private const long LongestPickle = 16 << 20;

    // What PyTorch itself allows. A tuple is written once and can be used by every tensor, so its length must not be the file's to choose.
    private const int MostDimensions = 64;

    /// <summary>The tensors of the state dict; what is no tensor is left out.</summary>
    /// <exception cref="WeftException">The file is no such archive, is damaged, or its pickle asks for code.</exception>
    public static IEnumerable<StoredTensor> Read(string path)
    {
        using var file = SourceReader.Open(path);
        if (file.Length < 4 || file.Read(0, 2) is not [(byte)'P', (byte)'K'])
        {
            throw new WeftException(file.Length > 0 && file.Read(0, 1)[0] == 0x80
                ? $"{path}: this is PyTorch's format of before version 1.6; load and save it again with a newer one"
                : $"{path}: this is not a PyTorch checkpoint: {file.Explain() ?? "it is no zip archive"}");
        }

        var entries = ZipDirectory.Read(file);
        var pickle = entries.Values.FirstOrDefault(entry => entry.Name.EndsWith("/data.pkl", StringComparison.Ordinal))
            ?? throw new WeftException($"{path}: this is not a PyTorch checkpoint (there is no data.pkl in it)");
        var prefix = pickle.Name[..^"data.pkl".Length];
        if (entries.TryGetValue(prefix + "byteorder", out var order) && (order.Length != 6 || !file.Read(order.Offset, 6).AsSpan().SequenceEqual("little"u8)))
            throw new WeftException($"{path}: the tensors are stored in big-endian byte order, which is not supported");
        if (pickle.Length > LongestPickle)
            throw new WeftException($"{path}: a pickle of {pickle.Length} bytes is too long for names and shapes");
        var reader = new StateDict(path, prefix, entries);
        return reader.Read(file.Read(pickle.Offset, (int)pickle.Length));
    }

    /// <summary>Answers what the pickle of a state dict asks for.</summary>
    private sealed class StateDict(string path, string prefix, Dictionary<string, ZipEntry> entries)
    {
        private const string Utils = "torch._utils";

        private static readonly Dictionary<string, StoredType> StorageTypes = new()
        {
            ["DoubleStorage"] = StoredType.Float64,
            ["FloatStorage"] = StoredType.Float32,
            ["HalfStorage"] = StoredType.Float16,
            ["BFloat16Storage"] = StoredType.BFloat16,
            ["LongStorage"] = StoredType.Int64,
            ["IntStorage"] = StoredType.Int32,
            ["ShortStorage"] = StoredType.Int16,
            ["CharStorage"] = StoredType.Int8,
            ["ByteStorage"] = StoredType.UInt8,
            ["BoolStorage"] = StoredType.Boolean,
        };

        private sealed record Storage(StoredType Type, ZipEntry Entry);

        private sealed record Tensor(Storage Storage, long Offset, long[] Shape, long[] Strides);

        public IEnumerable<StoredTensor> Read(byte[] pickle)
        {
            var value = new PickleReader(path, pickle, IsAllowed, Call, Load).Read();
            if (value is not PickleDictionary dictionary)
                throw new WeftException($"{path}: the pickle holds no state dict");
            return [.. Unwrap(dictionary).Items.Where(item => item.Value is Tensor).Select(item => Place(item.Key, (Tensor)item.Value!))];
        }

        /// <summary>Training scripts wrap the state dict in a dictionary of their own.</summary>
        private PickleDictionary Unwrap(PickleDictionary dictionary)
        {
            static bool HasTensors(object? value) => value is PickleDictionary inner && inner.Items.Values.Any(item => item is Tensor);
            if (HasTensors(dictionary))
                return dictionary;
            var inside = dictionary.Items.Where(item => HasTensors(item.Value)).ToList();
            if (inside.Count > 1)
            {
                var names = Printable.Of(string.Join("', '", inside.Select(item => item.Key)));
                throw new WeftException($"{path}: there are several state dicts ('{names}'), and which one is meant is not known");
            }

            return inside.Count == 1 ? (PickleDictionary)inside[0].Value! : dictionary;
        }

        private static bool IsAllowed(PickleGlobal global) => global switch
        {
            { Module: "collections", Name: "OrderedDict" } => true,
            { Module: Utils, Name: "_rebuild_tensor_v2" or "_rebuild_parameter" } => true,
            { Module: "torch" } => StorageTypes.ContainsKey(global.Name),
            _ => false,
        };

        private object? Call(PickleGlobal function, IReadOnlyList<object?> arguments) => (function.Name, arguments) switch
        {
            ("OrderedDict", []) => new PickleDictionary(),
            ("_rebuild_parameter", [Tensor tensor, ..]) => tensor,
            ("_rebuild_tensor_v2", [Storage storage, long offset, PickleTuple shape, PickleTuple strides, ..]) =>
                new Tensor(storage, offset, Numbers(shape), Numbers(strides)),
            _ => throw new WeftException($"{path}: the pickle is damaged: '{function}' is called with the wrong arguments"),
        };

        /// <summary>A persistent id: ('storage', type, key, device, elements).</summary>
        private Storage Load(object? id)
        {
            if (id is not PickleTuple { Items: ["storage", PickleGlobal { Module: "torch" } type, string key, _, long elements, ..] }
                || !StorageTypes.TryGetValue(type.Name, out var stored))
            {
                throw new WeftException($"{path}: the pickle is damaged: a storage is not described as one");
            }

            if (!entries.TryGetValue($"{prefix}data/{key}", out var entry))
                throw new WeftException($"{path}: the storage 'data/{Printable.Of(key)}' is missing");
            if (elements < 0 || elements > entry.Length / stored.Size())
                throw new WeftException($"{path}: the storage 'data/{Printable.Of(key)}' has {entry.Length} bytes, too few for {elements} elements of {stored}");
            return new(stored, entry);
        }

        private long[] Numbers(PickleTuple tuple)
        {
            if (tuple.Items.Count > MostDimensions)
                throw new WeftException($"{path}: the pickle is damaged: a tensor has {tuple.Items.Count} dimensions, more than {MostDimensions}");
            return [.. tuple.Items.Select(item => item is long number and >= 0
                ? number
                : throw new WeftException($"{path}: the pickle is damaged: a shape holds what is no size"))];
        }

        private StoredTensor Place(string name, Tensor tensor)
        {
            var size = tensor.Storage.Type.Size();
            try
            {
                if (tensor.Shape.Length != tensor.Strides.Length)
                    throw Outside();
                var last = tensor.Offset;
                for (var i = 0; i < tensor.Shape.Length; i++)
                    last = checked(last + ((Math.Max(tensor.Shape[i], 1) - 1) * tensor.Strides[i]));
                var empty = tensor.Shape.Contains(0);
                _ = tensor.Shape.Aggregate((long)size, (product, length) => checked(product * length));
                if (tensor.Offset < 0 || checked((last + (empty ? 0 : 1)) * size) > tensor.Storage.Entry.Length)
                    throw Outside();
                return new(name, tensor.Storage.Type, tensor.Shape, tensor.Strides, path, tensor.Storage.Entry.Offset + (tensor.Offset * size));
            }
            catch (OverflowException)
            {
                throw Outside();
            }

            WeftException Outside() => new($"{path}: tensor '{Printable.Of(name)}' reaches beyond its storage");
        }
    }
}

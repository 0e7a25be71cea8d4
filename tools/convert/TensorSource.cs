using Weft.Convert.Checkpoints;
using Weft.Convert.Families;

namespace Weft.Convert;

/// <summary>What a packed tensor is made of: tensors of the checkpoint or views of them, one after the other in row-major order.</summary>
/// <param name="Pieces">Read in order; none for a tensor that is computed.</param>
internal sealed record TensorSource(IReadOnlyList<StoredTensor> Pieces)
{
    /// <summary>One tensor as it is, or one view.</summary>
    public TensorSource(StoredTensor tensor)
        : this([tensor])
    {
    }

    /// <summary>Makes the packed tensor's numbers of all that was read; null takes them as they are. It holds the whole tensor in memory.</summary>
    public Func<float[], float[]>? Transform { get; init; }

    /// <summary>The transform makes another number of elements than it gets; whoever wrote it has looked at their shape.</summary>
    public bool Resizes { get; init; }

    /// <summary>How many dimensions a tensor in the file may have, sizes of 1 aside; null for those of the packed one, and for two where it is a view. Those of all experts may have one more.</summary>
    public int? FileRank { get; init; }

    /// <summary>Number of elements read.</summary>
    public long Count => Pieces.Sum(piece => piece.Count);

    /// <summary>Bytes of the checkpoint.</summary>
    public long ByteLength => Pieces.Sum(piece => piece.ByteLength);

    /// <summary>A norm's weight w of which the model computes with 1 + w, for so many heads.</summary>
    public static TensorSource OnePlus(StoredTensor weight, int times = 1) => Repeated(weight, times) with { Transform = w => Array.ConvertAll(w, x => 1 + x) };

    /// <summary>A norm's weight of one head, for all of them.</summary>
    public static TensorSource Repeated(StoredTensor weight, int times) => new([.. Enumerable.Repeat(weight, times)]);

    /// <summary>
    /// Rows [heads · headSize, …] of queries or keys whose rotary embedding turns neighbours (2i, 2i + 1), in the order in which halves
    /// (i, i + R/2) turn.
    /// </summary>
    /// <param name="rows">Weight or bias.</param>
    /// <param name="headSize">D.</param>
    /// <param name="turned">R.</param>
    public static TensorSource FromPairs(StoredTensor rows, int headSize, int turned)
    {
        var heads = rows.Split(0, headSize);
        if (turned == headSize)
            return new(heads.Split(1, 2).Transpose(1, 2));
        return new([.. Enumerable.Range(0, (int)heads.Shape[0]).SelectMany(head => new[]
        {
            heads.Narrow(0, head, 1).Narrow(1, 0, turned).Split(1, 2).Transpose(1, 2),
            heads.Narrow(0, head, 1).Narrow(1, turned, headSize - turned),
        })]);
    }
}

/// <summary>A checkpoint's tensors while a family takes from them.</summary>
/// <param name="tensors">By name.</param>
/// <param name="prefix">Of names, which checkpoints saved from the inner model lack, or null.</param>
/// <param name="config">The checkpoint's config, for tensors that are computed.</param>
internal sealed class TensorShelf(IReadOnlyDictionary<string, StoredTensor> tensors, string? prefix, ConfigFile config)
{
    /// <summary>The checkpoint's config.</summary>
    public ConfigFile Config => config;

    // Last names of matrices of codes that are no name of numbers.
    private static readonly string[] Codes = ["qweight", "weight_packed"];

    private readonly HashSet<string> taken = [];

    /// <summary>Tensors that nobody took.</summary>
    public IEnumerable<StoredTensor> Left => tensors.Values.Where(tensor => !taken.Contains(tensor.Name)).OrderBy(tensor => tensor.Name, StringComparer.Ordinal);

    /// <summary>Takes a tensor; it may be taken more than once.</summary>
    /// <exception cref="MissingTensorException">There is none of this name.</exception>
    public StoredTensor Take(string name)
    {
        if (TryTake(name) is { } tensor)
            return tensor;
        const string Weight = "weight";
        var codes = name.EndsWith(Weight, StringComparison.Ordinal) ? Codes.Select(end => TryTake(name[..^Weight.Length] + end)).FirstOrDefault(found => found is not null) : null;
        throw new MissingTensorException($"{config.Folder}: tensor '{name}' is missing{(codes is null ? LayerNumber.BeyondAll(name, tensors.Keys) : $", but '{codes.Name}' is there: the weights are quantized otherwise than the config says")}");
    }

    /// <summary>Takes a tensor if it is there, with or without the prefix.</summary>
    public StoredTensor? TryTake(string name)
    {
        if (!tensors.TryGetValue(name, out var tensor)
            && !(prefix is not null && name.StartsWith(prefix, StringComparison.Ordinal) && tensors.TryGetValue(name[prefix.Length..], out tensor)))
            return null;
        taken.Add(tensor.Name);
        return tensor;
    }
}

using System.Text.Json;

namespace Weft.Convert.Checkpoints;

/// <summary>The weights of a checkpoint folder: safetensors or PyTorch, in one file or several.</summary>
/// <param name="Tensors">Every tensor, by name.</param>
/// <param name="Files">Paths of the weight files and of the index, in reading order.</param>
internal sealed record Checkpoint(IReadOnlyDictionary<string, StoredTensor> Tensors, IReadOnlyList<string> Files)
{
    /// <summary>Parts of the model that are not converted.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    private delegate IReadOnlyDictionary<string, StoredTensor> Reader(string path);

    /// <summary>What to look after in what is made of it; a sentence each.</summary>
    public IEnumerable<string> Warnings() => LeftOut.Count > 0 ? [$"only the text model is converted; left out: {string.Join(", ", LeftOut)}"] : [];

    /// <summary>Opens the weights in a folder; safetensors wins over PyTorch when both are there.</summary>
    public static Checkpoint Open(string folder) =>
        TryOpen(folder, "model.safetensors", path => SafetensorsFile.Open(path).Tensors)
        ?? TryOpen(folder, "pytorch_model.bin", ReadPyTorch)
        ?? TryOpenParts(folder)
        ?? TryOpenOnly(folder)
        ?? throw new WeftException($"{folder}: there are no weights here (neither model.safetensors nor pytorch_model.bin, nor an index of either)");

    /// <summary>Opens the tensors of an adapter.</summary>
    public static Checkpoint OpenAdapter(string folder) =>
        TryOpen(folder, "adapter_model.safetensors", path => SafetensorsFile.Open(path).Tensors)
        ?? TryOpen(folder, "adapter_model.bin", ReadPyTorch)
        ?? throw new WeftException($"{folder}: there is no adapter here (neither adapter_model.safetensors nor adapter_model.bin)");

    /// <summary>The file of one of the processes that a model was trained in, as DeepSpeed names it.</summary>
    public static string PartName(int part) => $"mp_rank_{part:00}_model_states.pt";

    /// <summary>The name given to the part of a tensor that such a file holds.</summary>
    public static string PartOf(string name, int part) => $"{name}#{part}";

    /// <summary>Where such files are: in the folder, or in the one inside that its file 'latest' names.</summary>
    public static string PartsFolder(string folder)
    {
        const int LongestName = 100;
        var latest = new FileInfo(Path.Combine(folder, "latest"));
        var name = latest is { Exists: true, Length: <= LongestName } ? File.ReadAllText(latest.FullName).Trim() : "";
        return name.Length > 0 && Path.GetFileName(name) == name ? Path.Combine(folder, name) : folder;
    }

    private static Checkpoint? TryOpenParts(string folder)
    {
        folder = PartsFolder(folder);
        if (!Directory.Exists(folder))
            return null;
        var files = Directory.EnumerateFiles(folder, "mp_rank_*_model_states.pt").Select(Path.GetFileName).Order(StringComparer.Ordinal).ToList();
        for (var part = 0; part < files.Count; part++)
        {
            if (!files.Contains(PartName(part)))
                throw new WeftException($"{Path.Combine(folder, PartName(part))}: this part does not exist, though there are {files.Count}");
        }

        string[] paths = [.. files.Select((_, part) => Path.Combine(folder, PartName(part)))];
        return paths.Length == 0 ? null : new(
            paths.SelectMany((path, part) => PyTorchFile.Read(path).Select(tensor => tensor with { Name = PartOf(tensor.Name, part) })).ToDictionary(tensor => tensor.Name), paths);
    }

    /// <summary>The one file that torch.save wrote under a name of its own.</summary>
    private static Checkpoint? TryOpenOnly(string folder) => Directory.GetFiles(folder, "*.pt") is [var only]
        ? new(ReadPyTorch(only), [only])
        : null;

    private static IReadOnlyDictionary<string, StoredTensor> ReadPyTorch(string path) => PyTorchFile.Read(path).ToDictionary(tensor => tensor.Name);

    private static Checkpoint? TryOpen(string folder, string name, Reader read)
    {
        var index = Path.Combine(folder, name + ".index.json");
        var single = Path.Combine(folder, name);
        if (File.Exists(single))
            return new(read(single), [single]);
        return File.Exists(index) ? OpenShards(folder, index, read) : null;
    }

    private static Checkpoint OpenShards(string folder, string index, Reader read)
    {
        var places = ReadIndex(index);
        var shards = places.Values.Distinct().Order(StringComparer.Ordinal).ToList();
        foreach (var shard in shards)
        {
            if (Path.GetFileName(shard) != shard)
                throw new WeftException($"{index}: the shard '{shard}' is not a plain file name");
            if (!File.Exists(Path.Combine(folder, shard)))
                throw new WeftException($"{Path.Combine(folder, shard)}: this shard, named in {Path.GetFileName(index)}, does not exist");
        }

        var tensors = new Dictionary<string, StoredTensor>();
        foreach (var tensor in shards.SelectMany(shard => read(Path.Combine(folder, shard)).Values))
        {
            if (!tensors.TryAdd(tensor.Name, tensor))
                throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' is also in {Path.GetFileName(tensors[tensor.Name].File)}");
        }

        foreach (var (name, shard) in places)
        {
            if (!tensors.TryGetValue(name, out var tensor) || Path.GetFileName(tensor.File) != shard)
                throw new WeftException($"{Path.Combine(folder, shard)}: tensor '{name}' is missing, though {Path.GetFileName(index)} places it here");
        }

        return new(tensors, [index, .. shards.Select(shard => Path.Combine(folder, shard))]);
    }

    private static Dictionary<string, string> ReadIndex(string path)
    {
        using var document = JsonFile.Parse(path);
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("weight_map", out var map)
            || map.ValueKind != JsonValueKind.Object
            || map.EnumerateObject().Any(entry => entry.Value.ValueKind != JsonValueKind.String))
        {
            throw new WeftException($"{path}: there is no 'weight_map' from tensor names to files");
        }

        return map.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetString()!);
    }
}

using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Quantization;
using Weft.Tokenizers;

namespace Weft.Convert.Sources;

/// <summary>An adapter as PEFT writes it, beside the checkpoint that it is for. What the adapter does not touch is the checkpoint's.</summary>
internal abstract class AdapterSource : CheckpointSource
{
    private const string ConfigName = "adapter_config.json";
    private const string BaseName = "base_model_name_or_path";

    /// <summary>Opens the checkpoint.</summary>
    /// <param name="folder">The adapter's.</param>
    /// <param name="adapter">Its config.</param>
    /// <exception cref="WeftException">The checkpoint is not there.</exception>
    protected AdapterSource(string folder, ConfigFile adapter)
    {
        (Folder, Adapter) = (folder, adapter);
        var place = PlaceOf(folder, adapter);
        if (!Directory.Exists(place) || IsOne(place) || Path.GetFullPath(folder) == place)
            throw adapter.Error($"it is for the checkpoint '{Printable.Of(place)}', and there is no such folder; set '{BaseName}' to where it is, from the adapter's folder");
        Original = Open(place);
    }

    /// <inheritdoc/>
    public override ConfigFile Config => Original.Config;

    /// <inheritdoc/>
    public override Family Family => Original.Family;

    /// <inheritdoc/>
    public override string Architecture => Original.Architecture;

    /// <inheritdoc/>
    public override QuantizationConfig? Quantization => Original.Quantization;

    /// <summary>The adapter's folder.</summary>
    protected string Folder { get; }

    /// <summary>The adapter's config.</summary>
    protected ConfigFile Adapter { get; }

    /// <summary>The checkpoint that it is for.</summary>
    protected CheckpointSource Original { get; }

    /// <summary>Reads the adapter's config and opens its checkpoint.</summary>
    /// <exception cref="WeftException">It is of another kind, or its checkpoint is not there.</exception>
    public static AdapterSource OpenAdapter(string folder)
    {
        var adapter = ConfigFile.Open(Path.Combine(folder, ConfigName));
        return adapter.String("peft_type") switch
        {
            "LORA" => new LoraSource(folder, adapter),
            "PROMPT_TUNING" or "P_TUNING" => new VirtualTokenSource(folder, adapter, hasKeys: false),
            "PREFIX_TUNING" => new VirtualTokenSource(folder, adapter, hasKeys: true),
            var kind => throw adapter.Error($"adapters of the kind '{Printable.Of(kind ?? "")}' are not supported; those of the kinds LORA, PROMPT_TUNING, P_TUNING and PREFIX_TUNING are"),
        };
    }

    /// <summary>The folder of the checkpoint that an adapter is for.</summary>
    /// <exception cref="WeftException">It does not say so.</exception>
    public static string PlaceOf(string folder) => PlaceOf(folder, ConfigFile.Open(Path.Combine(folder, ConfigName)));

    /// <summary>Whether a folder holds an adapter and no checkpoint.</summary>
    public static bool IsOne(string folder) => File.Exists(Path.Combine(folder, ConfigName)) && !File.Exists(Path.Combine(folder, "config.json"));

    /// <inheritdoc/>
    public sealed override Checkpoint OpenWeights()
    {
        var (weights, parts) = (Original.OpenWeights(), Checkpoint.OpenAdapter(Folder));
        return new(Adapt(weights, parts), [.. weights.Files, Path.Combine(Folder, ConfigName), .. parts.Files]);
    }

    /// <inheritdoc/>
    public override CheckpointSettings ReadSettings(int vocabulary) => Original.ReadSettings(vocabulary);

    /// <inheritdoc/>
    public override TokenizerDescription? ReadTokenizer() => Original.ReadTokenizer();

    private static string PlaceOf(string folder, ConfigFile adapter)
    {
        var path = adapter.String(BaseName) ?? throw adapter.Error($"'{BaseName}' is missing, so the checkpoint that it is for is unknown");
        return Path.GetFullPath(path, Path.GetFullPath(folder));
    }

    /// <summary>The checkpoint's tensors as the adapter changes them.</summary>
    /// <param name="weights">The checkpoint.</param>
    /// <param name="parts">The adapter.</param>
    /// <exception cref="WeftException">The adapter is damaged, or for another checkpoint.</exception>
    protected abstract IReadOnlyDictionary<string, StoredTensor> Adapt(Checkpoint weights, Checkpoint parts);
}

using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Quantization;
using Weft.Convert.Tokenizers;
using Weft.Models;
using Weft.Tokenizers;

namespace Weft.Convert.Sources;

/// <summary>
/// A checkpoint in a GGUF file, or in several that llama.cpp's gguf-split made of one. Its metadata become the config that the family's checkpoints have, and its tensors get
/// their names, so that families read it as any other.
/// </summary>
internal sealed partial class GgufSource : CheckpointSource
{
    private const string Vocabulary = "tokenizer.ggml.";

    // Modules of the packed file by their names in GGUF files.
    private static readonly Dictionary<string, string> Modules = new()
    {
        ["token_embd"] = "embedding",
        ["output_norm"] = "final_norm",
        ["output"] = "head",
        ["attn_norm"] = "attention_norm",
        ["attn_q"] = "attention.query",
        ["attn_k"] = "attention.key",
        ["attn_v"] = "attention.value",
        ["attn_qkv"] = "attention.query",
        ["attn_q_norm"] = "attention.query_norm",
        ["attn_k_norm"] = "attention.key_norm",
        ["attn_output"] = "attention.output",
        ["post_attention_norm"] = "attention_output_norm",
        ["ffn_norm"] = "feed_forward_norm",
        ["ffn_gate"] = "feed_forward.gate",
        ["ffn_up"] = "feed_forward.up",
        ["ffn_down"] = "feed_forward.down",
        ["post_ffw_norm"] = "feed_forward_output_norm",
        ["ffn_gate_inp"] = "feed_forward.router",
        ["ffn_gate_exps"] = "feed_forward.gate",
        ["ffn_up_exps"] = "feed_forward.up",
        ["ffn_down_exps"] = "feed_forward.down",
        ["ffn_gate_shexp"] = "feed_forward.shared.gate",
        ["ffn_up_shexp"] = "feed_forward.shared.up",
        ["ffn_down_shexp"] = "feed_forward.shared.down",
        ["ffn_gate_inp_shexp"] = "feed_forward.switch",
    };

    private readonly string path;
    private readonly GgufFile file;
    private readonly GgufForm form;
    private readonly IReadOnlyList<GgufFile> parts;

    /// <summary>Reads the file's directory.</summary>
    /// <exception cref="WeftException">It is no GGUF file, or its architecture is not read.</exception>
    public GgufSource(string path)
    {
        this.path = path;
        file = GgufFile.Open(path);
        parts = [.. Parts().Select(part => part == path ? file : GgufFile.Open(part))];
        var name = file.Find<string>("general.architecture") ?? throw file.Error("'general.architecture' is missing, so the model's family is unknown");
        Family = FamilyCatalog.All.FirstOrDefault(family => family.Gguf is { } known && known.Architecture == name && known.Covers(file)) ?? throw file.Error(
            $"GGUF files of the architecture '{Printable.Of(name)}' are not read; those of {string.Join(", ", FamilyCatalog.All.Select(family => family.Gguf?.Architecture).OfType<string>().Distinct().Order(StringComparer.Ordinal))} are. "
            + "Convert the checkpoint in safetensors that it was made of");
        form = Family.Gguf!;
        Config = ConfigFile.Parse(path, new GgufConfig(form, parts).Make().ToJsonString());
    }

    /// <summary>Whether a file begins as one.</summary>
    public static bool IsOne(string path)
    {
        using var source = SourceReader.Open(path);
        return source.Length >= 4 && source.Read(0, 4).AsSpan().SequenceEqual("GGUF"u8);
    }

    /// <summary>The other files of a model that was split into several, by their names.</summary>
    public static IEnumerable<string> OtherParts(string path) => PartName().Match(path) is { Success: true } match && Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder
        ? Directory.EnumerateFiles(folder, $"{Path.GetFileName(match.Groups["name"].Value)}-*-of-*.gguf").Where(other => Path.GetFileName(other) != Path.GetFileName(path))
        : [];

    /// <inheritdoc/>
    public override ConfigFile Config { get; }

    /// <inheritdoc/>
    public override Family Family { get; }

    /// <inheritdoc/>
    public override string Architecture => Family.Architectures[0];

    /// <inheritdoc/>
    public override QuantizationConfig? Quantization => null;

    /// <inheritdoc/>
    public override Checkpoint OpenWeights()
    {
        var tensors = new Dictionary<string, StoredTensor>();
        foreach (var part in parts)
        {
            foreach (var tensor in part.Tensors.SelectMany(tensor => Renamed(tensor, part)))
            {
                if (!tensors.TryAdd(tensor.Name, tensor))
                    throw part.Error($"the tensor for '{tensor.Name}' is there twice");
            }
        }

        return new(tensors, [.. parts.Select(part => part.Path)]);
    }

    /// <inheritdoc/>
    public override CheckpointSettings ReadSettings(int vocabulary)
    {
        int? Token(string name) => file.FindInteger(Vocabulary + name) is { } id and >= 0 and <= int.MaxValue ? (int)id : null;
        int? Known(string name) => Token(name) is { } id && id >= vocabulary ? throw file.Error($"'{Vocabulary}{name}' is {id}, but the vocabulary has {vocabulary} tokens") : Token(name);
        return new(
            new GenerationDefaults
            {
                BosToken = Known("bos_token_id"),
                EosTokens = [.. new[] { Known("eos_token_id"), Known("eot_token_id"), Known("eom_token_id") }.OfType<int>().Distinct()],
                PadToken = CheckpointSettings.Padding(Token("padding_token_id"), vocabulary),
            },
            null,
            Templates(),
            []);
    }

    /// <inheritdoc/>
    public override TokenizerDescription? ReadTokenizer() => file.Find<List<string>>(Vocabulary + "tokens") is null ? null : TokenizerReader.Read(path);

    private Dictionary<string, string> Templates()
    {
        const string Key = "tokenizer.chat_template";
        var templates = new Dictionary<string, string>(StringComparer.Ordinal);
        if (file.Find<string>(Key) is { } first)
            templates[CheckpointSettings.Default] = first;
        foreach (var name in file.Find<List<string>>(Key + "s") ?? [])
        {
            if (file.Find<string>($"{Key}.{name}") is { } other)
                templates[name] = other;
        }

        return templates;
    }

    /// <summary>The file, or all that one was split into.</summary>
    private List<string> Parts()
    {
        var count = file.FindInteger("split.count") ?? 1;
        if (count <= 1)
            return [path];
        var match = PartName().Match(path);
        if (!match.Success || count > 100_000)
            throw file.Error($"this is one of {count} files, but it is not named as they are (NAME-00001-of-{count:00000}.gguf)");
        var paths = Enumerable.Range(1, (int)count).Select(part => $"{match.Groups["name"].Value}-{part:00000}-of-{count:00000}.gguf").ToList();
        if (paths[0] != path)
            throw file.Error($"this is one of {count} files; give the first, {Path.GetFileName(paths[0])}");
        return paths;
    }

    /// <summary>A tensor under the names that the family's checkpoints have for it; one of all experts becomes one for each.</summary>
    private IEnumerable<StoredTensor> Renamed(GgufTensor tensor, GgufFile part)
    {
        var match = TensorName().Match(tensor.Name);
        // Read with the config.
        if (tensor.Name is "rope_freqs.weight" or "rope_factors_long.weight" or "rope_factors_short.weight")
            return [];
        if (!match.Success || !Modules.TryGetValue(match.Groups["module"].Value, out var module))
            throw part.Error($"tensor '{Printable.Of(tensor.Name)}' is not one that GGUF files of the architecture '{form.Architecture}' have");
        var (layer, kind) = (match.Groups["layer"].Value, match.Groups["kind"].Value);
        var packed = layer.Length > 0 ? $"layers.{layer}.{module}.{kind}" : $"{module}.{kind}";
        var stored = part.Locate(tensor, NameOf(packed));
        if (form.TurnsPairs && module is "attention.query" or "attention.key")
        {
            var key = $"{form.Architecture}.attention.head_count";
            var heads = (module == "attention.key" ? file.FindInteger(key + "_kv") : null) ?? file.FindInteger(key);
            if (heads is not > 0 || stored.Shape[0] % heads != 0)
                throw part.Error($"tensor '{tensor.Name}' has {stored.Shape[0]} rows for {heads?.ToString(CultureInfo.InvariantCulture) ?? "an unknown number of"} heads");
            return [stored.Split(0, (int)(stored.Shape[0] / heads)).Split(1, 2).Transpose(1, 2)];
        }

        if (form.AddsOneToNorms && module.EndsWith("norm", StringComparison.Ordinal))
            return [stored.Type == StoredType.Float32 && stored.Coded is null ? stored with { Offset = 0, Coded = new OneLess(stored.Offset) } : throw part.Error($"tensor '{tensor.Name}' is no F32, as norms are")];
        if (!match.Groups["module"].Value.EndsWith("_exps", StringComparison.Ordinal))
            return [stored];
        if (stored.Shape is not [var experts, _, _])
            throw part.Error($"tensor '{tensor.Name}' has the shape [{string.Join(", ", stored.Shape)}], but [experts, rows, columns] is expected");
        return Enumerable.Range(0, checked((int)experts)).Select(expert => stored.At(expert) with { Name = Family.ExpertName(packed, expert) });
    }

    // The name that the family has for it. What it does not have at all is found when something is left over.
    private string NameOf(string packedName)
    {
        try
        {
            return Family.SourceName(packedName);
        }
        catch (InvalidOperationException)
        {
            return packedName;
        }
    }

    /// <summary>Numbers less one.</summary>
    private sealed class OneLess(long offset) : CodedNumbers(offset, 1, sizeof(float))
    {
        protected override void Decode(long block, ReadOnlySpan<byte> codes, Span<float> values) => TensorPrimitives.Subtract(MemoryMarshal.Cast<byte, float>(codes), 1, values);
    }

    [GeneratedRegex(@"^(blk\.(?<layer>\d{1,6})\.)?(?<module>[a-z_]+)\.(?<kind>weight|bias)$")]
    private static partial Regex TensorName();

    [GeneratedRegex(@"^(?<name>.*)-\d{5}-of-\d{5}\.gguf$")]
    private static partial Regex PartName();
}

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

namespace Weft.Convert;

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
    private readonly IReadOnlyList<(string Path, GgufFile File)> parts;

    /// <summary>Reads the file's directory.</summary>
    /// <exception cref="WeftException">It is no GGUF file, or its architecture is not read.</exception>
    public GgufSource(string path)
    {
        this.path = path;
        file = GgufFile.Open(path);
        parts = [.. Parts().Select(part => (part, part == path ? file : GgufFile.Open(part)))];
        var name = file.Find<string>("general.architecture") ?? throw new WeftException($"{path}: 'general.architecture' is missing, so the model's family is unknown");
        Family = FamilyCatalog.All.FirstOrDefault(family => family.Gguf is { } known && known.Architecture == name && known.Covers(file)) ?? throw new WeftException(
            $"{path}: GGUF files of the architecture '{Printable.Of(name)}' are not read; those of {string.Join(", ", FamilyCatalog.All.Select(family => family.Gguf?.Architecture).OfType<string>().Distinct().Order(StringComparer.Ordinal))} are. "
            + "Convert the checkpoint in safetensors that it was made of");
        form = Family.Gguf!;
        Config = ConfigFile.Parse(path, MakeConfig().ToJsonString());
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
        foreach (var (part, directory) in parts)
        {
            foreach (var tensor in directory.Tensors.SelectMany(tensor => Renamed(tensor, part, directory.DataOffset)))
            {
                if (!tensors.TryAdd(tensor.Name, tensor))
                    throw new WeftException($"{part}: the tensor for '{tensor.Name}' is there twice");
            }
        }

        return new(tensors, [.. parts.Select(part => part.Path)]);
    }

    /// <inheritdoc/>
    public override CheckpointSettings ReadSettings() => new(
        new GenerationDefaults
        {
            BosToken = Token("bos_token_id"),
            EosTokens = [.. new[] { Token("eos_token_id"), Token("eot_token_id"), Token("eom_token_id") }.OfType<int>().Distinct()],
            PadToken = Token("padding_token_id"),
        },
        null,
        Templates(),
        []);

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

    private int? Token(string name) => file.FindInteger(Vocabulary + name) is { } id and >= 0 and <= int.MaxValue ? (int)id : null;

    /// <summary>The config that transformers would have of the model.</summary>
    private JsonObject MakeConfig()
    {
        var shapes = parts.SelectMany(part => part.File.Tensors).ToLookup(tensor => tensor.Name, tensor => tensor.Shape);
        var config = new JsonObject
        {
            ["hidden_size"] = Number("embedding_length"),
            ["num_hidden_layers"] = Number("block_count"),
            ["num_attention_heads"] = Number("attention.head_count"),
            ["num_key_value_heads"] = Number("attention.head_count_kv") ?? Number("attention.head_count"),
            ["intermediate_size"] = Number("feed_forward_length"),
            ["rms_norm_eps"] = Number("attention.layer_norm_rms_epsilon"),
            ["rope_theta"] = Number("rope.freq_base"),
            ["max_position_embeddings"] = Number("context_length"),
            ["vocab_size"] = shapes["token_embd.weight"].FirstOrDefault() is [var rows, _] ? rows : Number("vocab_size"),
            ["tie_word_embeddings"] = !shapes.Contains("output.weight"),
            ["attention_bias"] = shapes.Contains("blk.0.attn_q.bias"),
            ["torch_dtype"] = "float16",
        };
        foreach (var (member, key) in form.Members)
            config[member] = file.FindNumber($"{form.Architecture}.{key}") is 0 ? null : Number(key);
        var headSize = file.FindInteger($"{form.Architecture}.attention.key_length");
        if (headSize is not null)
            config["head_dim"] = headSize;
        headSize ??= file.FindInteger($"{form.Architecture}.embedding_length") / Math.Max(file.FindInteger($"{form.Architecture}.attention.head_count") ?? 1, 1);
        if (file.FindInteger($"{form.Architecture}.rope.dimension_count") is { } turned && turned != headSize)
            config["partial_rotary_factor"] = (double)turned / headSize;
        if (MakeScaling() is { } scaling)
            config["rope_scaling"] = scaling;
        foreach (var (member, value) in form.Constants(file))
            config[member] = JsonValue.Create(value);
        foreach (var missing in config.Where(member => member.Value is null).Select(member => member.Key).ToList())
            config.Remove(missing);
        return config;
    }

    /// <summary>A number, or a list of them where layers differ, after the architecture's name.</summary>
    private JsonNode? Number(string key)
    {
        key = $"{form.Architecture}.{key}";
        if (file.FindInteger(key) is { } integer)
            return integer;
        // Numbers of 32 bits are meant as their shortest decimals.
        if (file.FindNumber(key) is { } number)
            return double.Parse(((float)number).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return file.Find<List<long>>(key) switch
        {
            null => null,
            var list when list.Distinct().Count() == 1 => list[0],
            _ => throw new WeftException($"{path}: '{key}' differs from layer to layer, which is not read from GGUF files"),
        };
    }

    private JsonObject? MakeScaling()
    {
        string Key(string name) => $"{form.Architecture}.rope.scaling.{name}";
        // Llama 3's scaling is stored as what it divides frequencies by.
        if (Singles("rope_freqs.weight") is { } divisors)
            return Divided(divisors, divisors, Number("context_length"), 1);
        if (Singles("rope_factors_short.weight") is { } near && Singles("rope_factors_long.weight") is { } far)
            return Divided(near, far, Number("rope.scaling.original_context_length"), file.FindNumber(Key("attn_factor")) ?? 1);
        var factor = Number("rope.scaling.factor");
        switch (file.Find<string>(Key("type")))
        {
            case null or "none":
                return null;
            case "linear":
                return new() { ["rope_type"] = "linear", ["factor"] = factor };
            case "yarn":
                return new() { ["rope_type"] = "yarn", ["factor"] = factor, ["original_max_position_embeddings"] = Number("rope.scaling.original_context_length") };
            case var other:
                throw new WeftException($"{path}: the rotary scaling '{Printable.Of(other)}' is not supported; supported are linear, yarn and factors in tensors");
        }

        static JsonObject Divided(float[] near, float[] far, JsonNode? original, double attention) => new()
        {
            ["rope_type"] = "longrope",
            ["short_factor"] = new JsonArray([.. near.Select(factor => (JsonNode)factor)]),
            ["long_factor"] = new JsonArray([.. far.Select(factor => (JsonNode)factor)]),
            ["original_max_position_embeddings"] = original,
            ["attention_factor"] = attention,
        };
    }

    private float[]? Singles(string name)
    {
        const int Most = 1 << 16;
        foreach (var (part, directory) in parts)
        {
            if (directory.Tensors.FirstOrDefault(tensor => tensor.Name == name) is not { } tensor)
                continue;
            var stored = Stored(tensor, name, part, directory.DataOffset);
            if (stored.Type != StoredType.Float32 || stored.Coded is not null || stored.Count > Most)
                throw new WeftException($"{part}: tensor '{name}' is no list of numbers of 32 bits");
            using var source = SourceReader.Open(part);
            var values = new float[stored.Count];
            Elements.ToSingle(stored.Type, source.Read(stored.Offset, (int)stored.ByteLength), values);
            return values;
        }

        return null;
    }

    /// <summary>The file, or all that one was split into.</summary>
    private List<string> Parts()
    {
        var count = file.FindInteger("split.count") ?? 1;
        if (count <= 1)
            return [path];
        var match = PartName().Match(path);
        if (!match.Success || count > 100_000)
            throw new WeftException($"{path}: this is one of {count} files, but it is not named as they are (NAME-00001-of-{count:00000}.gguf)");
        var paths = Enumerable.Range(1, (int)count).Select(part => $"{match.Groups["name"].Value}-{part:00000}-of-{count:00000}.gguf").ToList();
        if (paths[0] != path)
            throw new WeftException($"{path}: this is one of {count} files; give the first, {Path.GetFileName(paths[0])}");
        return paths;
    }

    /// <summary>A tensor under the names that the family's checkpoints have for it; one of all experts becomes one for each.</summary>
    private IEnumerable<StoredTensor> Renamed(GgufTensor tensor, string part, long dataOffset)
    {
        var match = TensorName().Match(tensor.Name);
        // Read with the config.
        if (tensor.Name is "rope_freqs.weight" or "rope_factors_long.weight" or "rope_factors_short.weight")
            return [];
        if (!match.Success || !Modules.TryGetValue(match.Groups["module"].Value, out var module))
            throw new WeftException($"{part}: tensor '{Printable.Of(tensor.Name)}' is not one that GGUF files of the architecture '{form.Architecture}' have");
        var (layer, kind) = (match.Groups["layer"].Value, match.Groups["kind"].Value);
        var packed = layer.Length > 0 ? $"layers.{layer}.{module}.{kind}" : $"{module}.{kind}";
        var stored = Stored(tensor, NameOf(packed), part, dataOffset);
        if (form.TurnsPairs && module is "attention.query" or "attention.key")
        {
            var key = $"{form.Architecture}.attention.head_count";
            var heads = (module == "attention.key" ? file.FindInteger(key + "_kv") : null) ?? file.FindInteger(key);
            if (heads is not > 0 || stored.Shape[0] % heads != 0)
                throw new WeftException($"{part}: tensor '{tensor.Name}' has {stored.Shape[0]} rows for {heads?.ToString(CultureInfo.InvariantCulture) ?? "an unknown number of"} heads");
            return [stored.Split(0, (int)(stored.Shape[0] / heads)).Split(1, 2).Transpose(1, 2)];
        }

        if (form.AddsOneToNorms && module.EndsWith("norm", StringComparison.Ordinal))
            return [stored.Type == StoredType.Float32 && stored.Coded is null ? stored with { Offset = 0, Coded = new OneLess(stored.Offset) } : throw new WeftException($"{part}: tensor '{tensor.Name}' is no F32, as norms are")];
        if (!match.Groups["module"].Value.EndsWith("_exps", StringComparison.Ordinal))
            return [stored];
        if (stored.Shape is not [var experts, _, _])
            throw new WeftException($"{part}: tensor '{tensor.Name}' has the shape [{string.Join(", ", stored.Shape)}], but [experts, rows, columns] is expected");
        return Enumerable.Range(0, checked((int)experts)).Select(expert =>
        {
            var one = stored.Narrow(0, expert, 1);
            return one with { Name = Family.ExpertName(packed, expert), Shape = [.. one.Shape.Skip(1)], Strides = [.. one.Strides.Skip(1)] };
        });
    }

    private static StoredTensor Stored(GgufTensor tensor, string name, string part, long dataOffset)
    {
        StoredType? plain = tensor.Type switch
        {
            0 => StoredType.Float32,
            1 => StoredType.Float16,
            28 => StoredType.Float64,
            30 => StoredType.BFloat16,
            _ => null,
        };
        var offset = dataOffset + tensor.Offset;
        var count = tensor.Shape.Count > 0 ? 1L : 0;
        foreach (var size in tensor.Shape)
            count = size > 0 && count <= long.MaxValue / 16 / size ? count * size : 0;
        if (count == 0)
            throw new WeftException($"{part}: tensor '{Printable.Of(tensor.Name)}' has an impossible shape");
        StoredTensor stored;
        if (plain is { } type)
        {
            stored = new(name, type, tensor.Shape, StoredTensor.RowMajorStrides(tensor.Shape), part, offset);
        }
        else
        {
            if (!GgufBlockType.All.TryGetValue(tensor.Type, out var blocks))
                throw new WeftException($"{part}: tensor '{Printable.Of(tensor.Name)}' is of ggml's type {tensor.Type}, which is not read; F32, F16, BF16, {string.Join(", ", GgufBlockType.All.Values.Select(known => known.Name))} are");
            if (tensor.Shape[^1] % blocks.Elements != 0)
                throw new WeftException($"{part}: tensor '{Printable.Of(tensor.Name)}' has {tensor.Shape[^1]} columns, which are no whole blocks of {blocks.Elements} of {blocks.Name}");
            stored = new(name, StoredType.Float32, tensor.Shape, StoredTensor.RowMajorStrides(tensor.Shape), part, 0) { Coded = new GgufBlocks(offset, blocks) };
        }

        if (tensor.Offset < 0 || stored.ByteLength > new FileInfo(part).Length - offset)
            throw new WeftException($"{part}: tensor '{Printable.Of(tensor.Name)}' lies outside the file, as in one that was not downloaded whole");
        return stored;
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

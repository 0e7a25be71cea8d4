using System.Globalization;
using System.Text.Json.Nodes;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;

namespace Weft.Convert.Sources;

/// <summary>What a GGUF file's metadata say of a model, as the config that the family's checkpoints have.</summary>
/// <param name="form">How the family's files look.</param>
/// <param name="parts">The files; the first has the metadata.</param>
internal sealed class GgufConfig(GgufForm form, IReadOnlyList<GgufFile> parts)
{
    private readonly GgufFile file = parts[0];

    /// <summary>The config that transformers would have of the model.</summary>
    public JsonObject Make()
    {
        var shapes = parts.SelectMany(part => part.Tensors).ToLookup(tensor => tensor.Name, tensor => tensor.Shape);
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
            _ => throw file.Error($"'{key}' differs from layer to layer, which is not read from GGUF files"),
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
                throw file.Error($"the rotary scaling '{Printable.Of(other)}' is not supported; supported are linear, yarn and factors in tensors");
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
        foreach (var part in parts)
        {
            if (part.Tensors.FirstOrDefault(tensor => tensor.Name == name) is not { } tensor)
                continue;
            var stored = part.Locate(tensor, name);
            if (stored.Type != StoredType.Float32 || stored.Coded is not null || stored.Count > Most)
                throw part.Error($"tensor '{name}' is no list of numbers of 32 bits");
            using var source = SourceReader.Open(part.Path);
            var values = new float[stored.Count];
            Elements.ToSingle(stored.Type, source.Read(stored.Offset, (int)stored.ByteLength), values);
            return values;
        }

        return null;
    }
}

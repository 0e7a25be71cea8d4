using System.Text.Json;
using System.Text.RegularExpressions;
using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Says what a checkpoint of an unknown architecture needs: each family is tried on it, and what the nearest one does not know of its config and of
/// its tensors is named, in words where it is a kind of block that the family does not have.
/// </summary>
internal static partial class UnknownArchitecture
{
    private const int MostNames = 8;
    private const int MostAlike = 3;

    // Kinds of tensors: no model has so many, and each is held against every family.
    private const int MostLookedAt = 4096;

    // Longer than any name; a distance takes time with each letter.
    private const int LongestName = 64;

    // What members of configs are about, by parts of their names; the first that fits. And whether a model has that; where it may be another, it has not.
    private static readonly (string Words, Func<ModelDescription, bool> Has, string[] Parts)[] Blocks =
    [
        ("mixture of experts", model => AnyLayer(model, layer => layer.FeedForward?.Experts is not null), ["expert", "moe", "router", "routed"]),
        ("latent attention", model => AnyLayer(model, layer => layer.Attention?.Latent is not null), ["lora_rank", "qk_rope", "qk_nope", "v_head_dim"]),
        ("linear attention", _ => false, ["linear_attn", "linear_attention", "linear_key", "linear_value", "linear_num", "linear_conv", "delta_rule"]),
        ("state space", model => AnyLayer(model, layer => layer.StateSpace is not null), ["ssm", "state_size", "d_state", "mamba", "conv_kernel", "d_conv", "time_step", "dt_rank"]),
        ("recurrence", model => AnyLayer(model, layer => layer.TimeMix is not null), ["rwkv", "wkv", "recurrent", "lru", "attention_hidden_size", "rescale_every"]),
        ("sliding window", model => AnyLayer(model, layer => layer.Attention?.Window is not null), ["window", "local_attention", "chunk"]),
        ("encoder and decoder", model => model.Encoder is not null, ["encoder", "decoder_layers", "cross_attention", "decoder_start"]),
        ("images", _ => false, ["vision", "image", "patch", "video"]),
        ("sound", _ => false, ["audio", "speech"]),
        ("ALiBi", model => AnyLayer(model, layer => layer.Attention?.AlibiSlopes is not null), ["alibi"]),
        ("capped scores or logits", model => model.Head.SoftCap is not null || AnyLayer(model, layer => layer.Attention?.SoftCap is not null), ["softcap", "soft_cap"]),
        ("sinks", model => AnyLayer(model, layer => layer.Attention?.Sinks == true), ["sink"]),
        ("query and key norm", model => AnyLayer(model, layer => layer.Attention?.QueryKeyNorm is not null), ["qk_norm", "qk_layernorm", "query_norm", "key_norm"]),
        ("another rotary embedding", _ => false, ["rope", "rotary"]),
        ("prediction of several tokens", _ => false, ["nextn", "mtp"]),
        ("sparse attention", _ => false, ["sparse", "indexer"]),
        ("scaled activations", _ => false, ["multiplier", "scale", "scaling"]),
        ("another norm", _ => false, ["norm"]),
    ];

    /// <summary>The complaint.</summary>
    /// <param name="config">The checkpoint's.</param>
    /// <param name="architecture">What it calls itself; null for nothing.</param>
    /// <param name="families">All of them.</param>
    public static WeftException Explain(ConfigFile config, string? architecture, IReadOnlyList<Family> families)
    {
        var names = Patterns(TensorNames(config.Folder));
        var members = config.Members.Where(Asks).ToList();
        var fits = families.Select(family => FamilyFit.Of(family, config, names, members)).ToList();
        var kind = Letters(config.Json("model_type") is { ValueKind: JsonValueKind.String } type ? type.GetString()! : "");
        fits = [.. fits.OrderByDescending(fit => fit.HasAllTensors).ThenByDescending(fit => fit.Score)
            .ThenByDescending(fit => kind.Length > 0 && fit.Architectures.Any(known => Letters(known).StartsWith(kind + "for", StringComparison.Ordinal)))
            .ThenByDescending(fit => fit.Family.IsOrigin).ThenBy(fit => fit.Extras).ThenBy(fit => Distance(architecture, fit.Architectures))];
        var nearest = fits[0];
        var asNear = fits.Skip(1).TakeWhile(fit => fit.HasAllTensors == nearest.HasAllTensors && fit.Score == nearest.Score).Select(fit => fit.Architectures[0]).ToList();
        var alike = families.SelectMany(family => family.Architectures).Distinct()
            .OrderBy(known => Distance(architecture, [known])).ThenBy(known => known, StringComparer.Ordinal).Take(MostAlike);
        var sentence = architecture is null
            ? "there is no 'architectures', so the model's family is unknown"
            : $"the architecture '{Printable.Of(architecture)}' is not supported; the nearest supported ones by name are {string.Join(", ", alike)}";
        var isFit = nearest.Score > 0;
        var near = nearest.Architectures[0] + (asNear.Count > 0 ? $" (as near: {List(asNear, MostAlike)})" : "");
        if (isFit)
            sentence += nearest.HasAllTensors ? $"; its tensors are those of {near}" : $"; by its config{(names.Count > 0 ? " and tensors" : "")} it is nearest to {near}";
        var unread = members.Where(member => isFit ? !nearest.Knows(member) : !fits.Exists(fit => fit.Asks(member.Key))).Select(member => member.Key).ToList();
        var blocks = unread.Select(name => (Name: name, Words: BlockOf(name) is { } block && !nearest.Has(block) ? Blocks[block].Words : null))
            .GroupBy(member => member.Words, member => member.Name).ToList();
        List<string> lacks = [.. blocks.Where(block => block.Key is not null).Select(block => $"{block.Key} ({List(block)})")];
        List<string> clauses =
        [
            .. lacks.Count > 0 ? [$"{(isFit ? "lacks" : "its config asks for")} {string.Join(", ", lacks)}"] : Array.Empty<string>(),
            .. blocks.FirstOrDefault(block => block.Key is null) is { } others ? [$"{(isFit ? "does not know" : "no supported family knows")} {List(others)}"] : Array.Empty<string>(),
            .. isFit && nearest.Lacking.Count > 0 ? [$"needs {List(nearest.Lacking)}"] : Array.Empty<string>(),
        ];
        if (clauses.Count > 0)
            sentence += $"{(isFit ? ", which " : "; ")}{string.Join(" and ", clauses)}";
        if (nearest.Unknown.Count > 0)
            sentence += $"; tensors that it does not have: {List(nearest.Unknown)}";
        return config.Error(sentence);
    }

    /// <summary>Which block a member is about, or null.</summary>
    internal static int? BlockOf(string name) =>
        Array.FindIndex(Blocks, block => block.Parts.Any(part => name.Contains(part, StringComparison.OrdinalIgnoreCase))) is >= 0 and var index ? index : null;

    /// <summary>Whether a model has blocks of a kind.</summary>
    internal static bool Has(ModelDescription model, int block) => Blocks[block].Has(model);

    /// <summary>Names of tensors of which only numbers differ are one.</summary>
    internal static HashSet<string> Patterns(IEnumerable<string> names) => [.. names.Select(name => Digits().Replace(name, "#")).Distinct().Take(MostLookedAt)];

    private static bool AnyLayer(ModelDescription model, Func<LayerDescription, bool> has) => model.Layers.Concat(model.Encoder?.Layers ?? []).Any(has);

    private static int Distance(string? architecture, IReadOnlyList<string> names) =>
        architecture is null ? 0 : names.Min(known => Spelling.Distance(architecture.Length > LongestName ? architecture[..LongestName] : architecture, known));

    private static string Letters(string name) => string.Concat(name.Take(LongestName).Where(char.IsLetterOrDigit)).ToLowerInvariant();

    private static string List(IEnumerable<string> names, int most = MostNames)
    {
        var all = names.ToList();
        return string.Join(", ", all.Take(most).Select(Printable.Of)) + (all.Count > most ? $" and {all.Count - most} more" : "");
    }

    /// <summary>Whether a member asks for something at all, and for something that changes what is computed.</summary>
    private static bool Asks(KeyValuePair<string, JsonElement> member) => !Idle().IsMatch(member.Key) && member.Value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => false,
        JsonValueKind.Number => member.Value.GetDouble() != 0,
        JsonValueKind.Array => member.Value.GetArrayLength() > 0 && !member.Value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String && item.ValueEquals("full_attention")),
        JsonValueKind.String => member.Value.GetString()!.Length > 0,
        _ => true,
    };

    private static IEnumerable<string> TensorNames(string folder)
    {
        try
        {
            return Checkpoint.Open(folder).Tensors.Keys;
        }
        catch (WeftException)
        {
            return []; // what is wrong with the weights does not matter to an architecture that is not known
        }
    }

    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();

    [GeneratedRegex(
        "^(architectures|auto_map|model_type|torch_dtype|dtype|transformers_version|use_cache|_.*|.*token_id.*|.*token_ids|.*dropout.*|.*drop|.*layerdrop|.*pdrop|initializer.*|pretraining_tp"
        + "|task_specific_params|id2label|label2id|problem_type|gradient_checkpointing|output_attentions|output_hidden_states|output_scores|output_router_logits|output_past|return_dict.*|is_decoder|tokenizer_class|quantization_config|summary_.*|finetuning_task"
        + "|temperature|top_[kp]|do_sample|max_length|min_length|num_beams.*|repetition_penalty|use_return_dict|torchscript|.*init_range|init_.*|.*eps|.*epsilon|.*fp32|pruned_heads|chunk_size_feed_forward"
        + "|.*_loss.*|.*jitter.*|time_step_(floor|max|min|init_scheme|scale)|rescale_prenorm_residual|use_mambapy|use_associative_scan|max_window_layers)$",
        RegexOptions.IgnoreCase)]
    private static partial Regex Idle();
}

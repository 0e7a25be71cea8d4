using System.Text.Json;
using System.Text.RegularExpressions;
using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Says what a checkpoint of an unknown architecture needs: each family is tried on it, and what the nearest one does not know of its config and of
/// its tensors is named, in words where it is a known kind of block.
/// </summary>
internal static partial class UnknownArchitecture
{
    private const int MostNames = 8;

    // What members of configs are about, by parts of their names; the first that fits.
    private static readonly (string Words, string[] Parts)[] Blocks =
    [
        ("mixture of experts", ["expert", "moe", "router", "routed"]),
        ("latent attention", ["lora_rank", "qk_rope", "qk_nope", "v_head_dim"]),
        ("linear attention", ["linear_attn", "linear_attention", "linear_key", "linear_value", "linear_num", "linear_conv", "delta_rule"]),
        ("state space", ["ssm", "state_size", "d_state", "mamba", "conv_kernel", "d_conv", "time_step", "dt_rank"]),
        ("recurrence", ["rwkv", "wkv", "recurrent", "lru", "attention_hidden_size", "rescale_every"]),
        ("sliding window", ["window", "local_attention", "chunk"]),
        ("encoder and decoder", ["encoder", "decoder_layers", "cross_attention", "decoder_start"]),
        ("images", ["vision", "image", "patch", "video"]),
        ("sound", ["audio", "speech"]),
        ("ALiBi", ["alibi"]),
        ("capped scores or logits", ["softcap", "soft_cap"]),
        ("sinks", ["sink"]),
        ("query and key norm", ["qk_norm", "qk_layernorm", "query_norm", "key_norm"]),
        ("another rotary embedding", ["rope", "rotary"]),
        ("prediction of several tokens", ["nextn", "mtp"]),
        ("sparse attention", ["sparse", "indexer"]),
        ("scaled activations", ["multiplier", "scale", "scaling"]),
        ("another norm", ["norm"]),
    ];

    /// <summary>The complaint.</summary>
    public static WeftException Explain(ConfigFile config, string architecture, IReadOnlyList<Family> families)
    {
        var names = Patterns(TensorNames(config.Folder));
        var fits = families.Select(family => Fit.Of(family, config, names))
            .OrderByDescending(fit => fit.Score).ThenBy(fit => fit.Architectures.Min(known => Spelling.Distance(architecture, known))).ToList();
        var nearest = fits[0];
        var asNear = fits.Skip(1).TakeWhile(fit => fit.Score == nearest.Score).Select(fit => fit.Architectures[0]).Order(StringComparer.Ordinal).ToList();
        var alike = families.SelectMany(family => family.Architectures)
            .OrderBy(known => Spelling.Distance(architecture, known)).ThenBy(known => known, StringComparer.Ordinal).Take(3);
        var sentence = $"the architecture '{Printable.Of(architecture)}' is not supported; the nearest supported ones by name are {string.Join(", ", alike)}";
        var isFit = nearest.Score > 0;
        if (isFit)
            sentence += $"; by its config{(names.Count > 0 ? " and tensors" : "")} it is nearest to {nearest.Architectures[0]}{(asNear.Count > 0 ? $" (as near: {List(asNear)})" : "")}";
        var unread = config.Members.Where(member => Asks(member) && !(isFit && nearest.Asked.Contains(member.Name))).Select(member => member.Name).ToList();
        var blocks = unread.Select(name => (name, Words: Blocks.FirstOrDefault(block => block.Parts.Any(part => name.Contains(part, StringComparison.OrdinalIgnoreCase))).Words))
            .GroupBy(member => member.Words, member => member.name).ToList();
        var known = blocks.Where(block => block.Key is not null).Select(block => $"{block.Key} ({List(block)})").ToList();
        if (known.Count > 0)
            sentence += $"{(isFit ? ", which lacks" : "; its config asks for")} {string.Join(", ", known)}";
        if (isFit && blocks.FirstOrDefault(block => block.Key is null) is { } others)
            sentence += $"{(known.Count > 0 ? " and" : ", which")} does not know {List(others)}";
        if (nearest.Unknown.Count > 0)
            sentence += $"; tensors that it does not have: {List(nearest.Unknown)}";
        return config.Error(sentence);
    }

    private static string List(IEnumerable<string> names)
    {
        var all = names.ToList();
        return string.Join(", ", all.Take(MostNames).Select(Printable.Of)) + (all.Count > MostNames ? $" and {all.Count - MostNames} more" : "");
    }

    /// <summary>Whether a member asks for something at all, and for something that changes what is computed.</summary>
    private static bool Asks(JsonProperty member) => !Idle().IsMatch(member.Name) && member.Value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => false,
        JsonValueKind.Number => member.Value.GetDouble() != 0,
        JsonValueKind.Array => member.Value.GetArrayLength() > 0,
        JsonValueKind.String => member.Value.GetString()!.Length > 0,
        _ => true,
    };

    private static IReadOnlyList<string> TensorNames(string folder)
    {
        try
        {
            return [.. Checkpoint.Open(folder).Tensors.Keys];
        }
        catch (WeftException)
        {
            return []; // what is wrong with the weights does not matter to an architecture that is not known
        }
    }

    private static HashSet<string> Patterns(IEnumerable<string> names) => [.. names.Select(name => Digits().Replace(name, "#"))];

    /// <summary>How well a family fits.</summary>
    /// <param name="Architectures">The family's.</param>
    /// <param name="Asked">Members of the config that it reads.</param>
    /// <param name="Unknown">Tensors that it does not have.</param>
    /// <param name="Score">Zero where it cannot describe the config; the share of tensors and of members that it knows.</param>
    private sealed record Fit(IReadOnlyList<string> Architectures, IReadOnlySet<string> Asked, IReadOnlyList<string> Unknown, double Score)
    {
        public static Fit Of(Family family, ConfigFile config, HashSet<string> names)
        {
            var watched = config.Afresh();
            try
            {
                var model = family.Describe(watched);
                if (ModelCheck.FindError(model) is not null)
                    return new(family.Architectures, watched.Asked, [], 0);
                var own = TensorSchema.Of(model).Select(tensor => Patterns(Names(family, tensor.Name))).Where(alike => alike.Count > 0).ToList();
                var known = own.SelectMany(alike => alike).ToHashSet();
                var missing = own.Where(alike => !alike.Overlaps(names)).SelectMany(alike => alike).Distinct().Count();
                var unknown = names.Where(name => !known.Contains(name) && !family.IsIgnored(name, model)).Order(StringComparer.Ordinal).ToList();
                var members = config.Members.Where(Asks).ToList();
                var score = Share(members.Count(member => watched.Asked.Contains(member.Name)), members.Count) + (2 * Share(names.Count - unknown.Count, names.Count + (names.Count > 0 ? missing : 0)));
                return new(family.Architectures, watched.Asked, unknown, score);
            }
            catch (WeftException)
            {
                return new(family.Architectures, watched.Asked, [], 0);
            }
        }

        private static double Share(int part, int whole) => whole == 0 ? 0 : (double)part / whole;

        private static string[] Names(Family family, string packedName)
        {
            try
            {
                var name = family.SourceName(packedName);
                return family.Prefix is { } prefix && name.StartsWith(prefix, StringComparison.Ordinal) ? [name, name[prefix.Length..]] : [name];
            }
            catch (InvalidOperationException)
            {
                return []; // computed, or made of several tensors
            }
        }
    }

    [GeneratedRegex(@"\d+")]
    private static partial Regex Digits();

    [GeneratedRegex(
        "^(architectures|auto_map|model_type|torch_dtype|dtype|transformers_version|use_cache|_.*|.*token_id.*|.*token_ids|.*dropout.*|.*drop|.*pdrop|initializer.*|pretraining_tp"
        + "|task_specific_params|id2label|label2id|problem_type|gradient_checkpointing|output_.*|return_dict.*|is_decoder|tokenizer_class|quantization_config|summary_.*|finetuning_task"
        + "|temperature|top_[kp]|do_sample|max_length|min_length|num_beams.*|repetition_penalty|use_return_dict|torchscript|.*init_range|init_.*|.*eps|.*epsilon|.*fp32|pruned_heads|chunk_size_feed_forward)$",
        RegexOptions.IgnoreCase)]
    private static partial Regex Idle();
}

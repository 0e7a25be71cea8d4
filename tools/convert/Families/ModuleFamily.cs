using System.Text.RegularExpressions;
using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>A family whose tensors are found by a table of modules: packed name without layer and ".weight" or ".bias" on the left, checkpoint's on the right.</summary>
internal abstract partial class ModuleFamily : Family
{
    /// <summary>From the packed file's modules to the checkpoint's; '#' stands for the layer's number.</summary>
    protected abstract IReadOnlyDictionary<string, string> Modules { get; }

    /// <summary>Where the head's rows come from when it is not tied.</summary>
    protected virtual string HeadModule => "lm_head";

    /// <inheritdoc/>
    public override string SourceName(string packedName)
    {
        var match = PackedName().Match(packedName);
        var module = match.Groups["module"].Value;
        var source = module == "head" ? HeadModule : Modules.GetValueOrDefault(module)
            ?? throw new InvalidOperationException($"{GetType().Name} has no module for {packedName}, which it asks for itself.");
        return $"{source.Replace("#", match.Groups["layer"].Value, StringComparison.Ordinal)}.{match.Groups["kind"].Value}";
    }

    /// <inheritdoc/>
    public override bool IsIgnored(string sourceName, ModelDescription model) => Buffers().IsMatch(sourceName);

    /// <inheritdoc/>
    public override string? CopyOf(string sourceName, ModelDescription model) =>
        model.Head.Tied && sourceName == HeadModule + ".weight" ? TensorSchema.Embedding : null;

    /// <summary>Number of the layer that a packed tensor belongs to.</summary>
    protected static int LayerOf(string packedName) => int.Parse(PackedName().Match(packedName).Groups["layer"].Value, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Which of the parts of a fused query, key and value projection a packed tensor is: 0, 1, 2, or −1 for none of them.</summary>
    protected static int PartOf(string packedName) => PackedName().Match(packedName).Groups["module"].Value switch
    {
        "attention.query" => 0,
        "attention.key" => 1,
        "attention.value" => 2,
        _ => -1,
    };

    /// <summary>Rows of a part in [q; k; v], all heads of one after all of the other.</summary>
    protected static StoredTensor InSequence(StoredTensor fused, AttentionDescription attention, int part)
    {
        var (q, kv) = (attention.QueryHeads * attention.HeadSize, attention.KeyValueHeads * attention.HeadSize);
        return fused.Narrow(0, part switch { 0 => 0, 1 => q, _ => q + kv }, part == 0 ? q : kv);
    }

    /// <summary>Rows of a part where the rows of each key/value head are together: its queries, its key, its value.</summary>
    protected static StoredTensor InGroups(StoredTensor fused, AttentionDescription attention, int part)
    {
        var d = attention.HeadSize;
        var queries = attention.QueryHeads / attention.KeyValueHeads * d;
        return fused.Split(0, queries + (2 * d)).Narrow(1, part switch { 0 => 0, 1 => queries, _ => queries + d }, part == 0 ? queries : d);
    }

    [GeneratedRegex(@"^(layers\.(?<layer>\d+)\.)?(?<module>.+)\.(?<kind>weight|bias)$")]
    private static partial Regex PackedName();

    // Tables and masks that versions of the reference implementation stored beside the weights.
    [GeneratedRegex(@"(^|\.)(rotary_emb\.(inv_freq|cos_cached|sin_cached)|masked_bias|(attn|attention)\.(attention\.)?bias|causal_mask|position_ids|embed_positions\.weights)$")]
    private static partial Regex Buffers();
}

using System.Text.RegularExpressions;
using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>A family whose tensors are found by a table of modules: packed name without layer and ".weight" or ".bias" on the left, checkpoint's on the right.</summary>
internal abstract partial class ModuleFamily : Family
{
    /// <summary>From the packed file's modules to the checkpoint's; '#' stands for the layer's number. Those of an encoder begin with "encoder.".</summary>
    protected abstract IReadOnlyDictionary<string, string> Modules { get; }

    /// <summary>Where the head's rows come from when it is not tied.</summary>
    protected virtual string HeadModule => "lm_head";

    /// <inheritdoc/>
    public override string SourceName(string packedName)
    {
        var match = PackedName().Match(packedName);
        var module = ModuleOf(packedName);
        var source = module == "head" ? HeadModule : Modules.GetValueOrDefault(module)
            ?? throw new InvalidOperationException($"{GetType().Name} has no module for {packedName}, which it asks for itself.");
        return $"{source.Replace("#", match.Groups["layer"].Value, StringComparison.Ordinal)}.{match.Groups["kind"].Value}";
    }

    /// <inheritdoc/>
    public override bool IsIgnored(string sourceName, ModelDescription model) => Buffers().IsMatch(sourceName);

    /// <inheritdoc/>
    public override string? CopyOf(string sourceName, ModelDescription model) =>
        model.Head.Tied && sourceName == HeadModule + ".weight" ? TensorSchema.Embedding : null;

    /// <summary>Name of a packed tensor without layer and ".weight" or ".bias".</summary>
    protected static string ModuleOf(string packedName) => PackedName().Match(packedName) is var match ? match.Groups["stack"].Value + match.Groups["module"].Value : "";

    /// <summary>Number of the layer that a packed tensor belongs to.</summary>
    protected static int LayerOf(string packedName) => int.Parse(PackedName().Match(packedName).Groups["layer"].Value, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Which of the parts of a fused query, key and value projection a packed tensor is: 0, 1, 2, or −1 for none of them.</summary>
    protected static int PartOf(string packedName) => ModuleOf(packedName) switch
    {
        "attention.query" => 0,
        "attention.key" => 1,
        "attention.value" => 2,
        _ => -1,
    };

    /// <summary>
    /// A packed tensor's own rows. Those of one module for queries, keys and values are in sequence, as are gate and up where one module
    /// is both.
    /// </summary>
    protected StoredTensor Rows(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        if (PartOf(requirement.Name) is >= 0 and var part)
            return Modules["attention.query"] == Modules["attention.key"] ? InSequence(stored, model.Layers[LayerOf(requirement.Name)].Attention!, part) : stored;
        if (ModuleOf(requirement.Name) is not ("feed_forward.gate" or "feed_forward.up") || Modules.GetValueOrDefault("feed_forward.gate") != Modules["feed_forward.up"])
            return stored;
        var rows = requirement.Shape[0];
        return OfRows(stored, 2L * rows).Narrow(0, ModuleOf(requirement.Name) == "feed_forward.gate" ? 0 : rows, rows);
    }

    /// <summary>Queries or keys whose rotary embedding turns neighbours, in the order in which halves turn; other rows as they are.</summary>
    protected static TensorSource FromPairs(StoredTensor rows, TensorRequirement requirement, ModelDescription model)
    {
        if (PartOf(requirement.Name) is not (0 or 1))
            return new(rows);
        var attention = model.Layers[LayerOf(requirement.Name)].Attention!;
        return TensorSource.FromPairs(rows, attention.HeadSize, attention.Rotary?.Size ?? attention.HeadSize);
    }

    /// <summary>For how many heads the weights of a norm of queries or keys are the same; 1 where each has its own, and for another norm.</summary>
    protected static int HeadsOf(string packedName, ModelDescription model)
    {
        var module = ModuleOf(packedName);
        if (module is not ("attention.query_norm" or "attention.key_norm") || model.Layers[LayerOf(packedName)].Attention is not { QueryKeyNorm: not { AcrossHeads: true } } attention)
            return 1;
        return module == "attention.query_norm" ? attention.QueryHeads : attention.KeyValueHeads;
    }

    /// <summary>Rows of a part in [q; k; v], all heads of one after all of the other.</summary>
    protected static StoredTensor InSequence(StoredTensor fused, AttentionDescription attention, int part)
    {
        var (q, kv) = (attention.QueryHeads * attention.HeadSize, attention.KeyValueHeads * attention.HeadSize);
        return OfRows(fused, q + (2L * kv)).Narrow(0, part switch { 0 => 0, 1 => q, _ => q + kv }, part == 0 ? q : kv);
    }

    /// <summary>Rows of a part where the rows of each key/value head are together: its queries, its key, its value.</summary>
    protected static StoredTensor InGroups(StoredTensor fused, AttentionDescription attention, int part)
    {
        var d = attention.HeadSize;
        var queries = attention.QueryHeads / attention.KeyValueHeads * d;
        return OfRows(fused, attention.KeyValueHeads * (queries + (2L * d))).Split(0, queries + (2 * d)).Narrow(1, part switch { 0 => 0, 1 => queries, _ => queries + d }, part == 0 ? queries : d);
    }

    /// <summary>A tensor as it is, or where queries, keys and values are fused the rows of one of them.</summary>
    /// <param name="requirement">The packed tensor.</param>
    /// <param name="model">The model.</param>
    /// <param name="shelf">The checkpoint.</param>
    /// <param name="rows">Rows of a part: <see cref="InSequence"/>, <see cref="InGroups"/>.</param>
    protected TensorSource FromFused(
        TensorRequirement requirement, ModelDescription model, TensorShelf shelf, Func<StoredTensor, AttentionDescription, int, StoredTensor> rows)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        return new(PartOf(requirement.Name) is >= 0 and var part ? rows(stored, model.Layers[LayerOf(requirement.Name)].Attention!, part) : stored);
    }

    /// <summary>Like <see cref="FromFused"/>, where the matrices of layers are stored [in, out].</summary>
    protected TensorSource FromColumns(
        TensorRequirement requirement, ModelDescription model, TensorShelf shelf, Func<StoredTensor, AttentionDescription, int, StoredTensor> fusedRows)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        if (!requirement.Name.StartsWith("layers.", StringComparison.Ordinal) || stored.Shape.Count > 2)
            return new(stored);
        var rows = stored.Shape.Count == 2 && !requirement.IsVector ? stored.Transpose(0, 1) : stored;
        return new(PartOf(requirement.Name) is >= 0 and var part ? fusedRows(rows, model.Layers[LayerOf(requirement.Name)].Attention!, part) : rows);
    }

    /// <summary>The tensor, if it has so many rows: parts of a longer one would be of the wrong places.</summary>
    protected static StoredTensor OfRows(StoredTensor fused, long rows) => fused.Shape.Count > 0 && fused.Shape[0] == rows
        ? fused
        : throw new ShapeException(fused, $"{rows} {(fused.IsContiguous ? "rows" : "columns")}");

    /// <summary>A learned table of positions in fairseq's layout: two rows that training left to padding go before the first position.</summary>
    protected static StoredTensor AfterPadding(StoredTensor table, int positions)
    {
        const int Unused = 2;
        return table.Shape is [var rows, _] && rows == (long)positions + Unused
            ? table.Narrow(0, Unused, positions)
            : throw new ShapeException(table, $"a table of {positions} positions, with {Unused} rows before them");
    }

    [GeneratedRegex(@"^(?<stack>encoder\.)?(layers\.(?<layer>\d+)\.)?(?<module>.+)\.(?<kind>weight|bias)$")]
    private static partial Regex PackedName();

    // Tables and masks that versions of the reference implementation stored beside the weights.
    [GeneratedRegex(@"(^|\.)(rotary_emb\.(inv_freq|cos_cached|sin_cached)|masked_bias|(attn|attention)\.(attention\.)?bias|causal_mask|position_ids|embed_positions\.weights)$")]
    private static partial Regex Buffers();
}

using System.Globalization;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What families share whose layers are LLaMA's with a mixture of experts in place of the feed-forward block.</summary>
/// <param name="experts">Modules of the experts, in which '*' stands for an expert's number.</param>
/// <param name="others">Modules that have another name than LLaMA's.</param>
internal abstract class ExpertLayout(IReadOnlyDictionary<string, string> experts, params IEnumerable<(string Packed, string Source)> others) : LlamaLayout(others)
{
    /// <summary>The experts of Qwen's mixtures.</summary>
    protected static IReadOnlyDictionary<string, string> NumberedExperts { get; } = new Dictionary<string, string>
    {
        ["feed_forward.gate"] = "model.layers.#.mlp.experts.*.gate_proj",
        ["feed_forward.up"] = "model.layers.#.mlp.experts.*.up_proj",
        ["feed_forward.down"] = "model.layers.#.mlp.experts.*.down_proj",
    };

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        if (!experts.ContainsKey(ModuleOf(requirement.Name)) || model.Layers[LayerOf(requirement.Name)].FeedForward?.Experts is not { } mixture)
            return TensorSource.Repeated(Rows(requirement, model, shelf), HeadsOf(requirement.Name, model));
        var rows = requirement.Shape[0] / mixture.Count;
        return new([.. Enumerable.Range(0, mixture.Count).Select(expert => OfRows(shelf.Take(ExpertName(requirement.Name, expert)), rows))]);
    }

    /// <inheritdoc/>
    public override string ExpertName(string packedName, int expert) => experts[ModuleOf(packedName)]
        .Replace("#", LayerOf(packedName).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
        .Replace("*", expert.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal) + ".weight";

    /// <summary>A mixture in the layers that Qwen's configs give one: not in 'mlp_only_layers', and every 'decoder_sparse_step'-th.</summary>
    /// <param name="config">The config.</param>
    /// <param name="model">The model without experts.</param>
    /// <param name="mixture">Of the layers that have one.</param>
    /// <param name="defaultSize">moe_intermediate_size when it is missing.</param>
    protected static ModelDescription WithExperts(ConfigFile config, ModelDescription model, ExpertsDescription mixture, int defaultSize)
    {
        var dense = config.Ints("mlp_only_layers");
        var step = Math.Max(config.Int("decoder_sparse_step", 1), 1);
        var size = config.Int("moe_intermediate_size", defaultSize);
        return WithLayers(model, (layer, i) => mixture.Count < 1 || dense.Contains(i) || (i + 1) % step != 0
            ? layer
            : layer with { FeedForward = layer.FeedForward! with { IntermediateSize = size, Experts = mixture } });
    }
}

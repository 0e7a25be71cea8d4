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

    /// <summary>The tensor of the bias that experts are chosen with.</summary>
    protected virtual string SelectionBias => "model.layers.#.mlp.gate.e_score_correction_bias";

    /// <summary>DeepSeek-V3's checkpoints, and those that follow it, hold one more layer, which predicts the token after the next while training.</summary>
    public override (string Prefix, string Mark)? TrainingLayer(ModelDescription model) =>
        model.Layers[^1].FeedForward?.Experts is { SelectionBias: true } ? ($"model.layers.{model.Layers.Count}.", "eh_proj.") : null;

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        if (requirement.Name.EndsWith(TensorSchema.SelectionBias, StringComparison.Ordinal))
            return new(shelf.Take(SelectionBias.Replace("#", requirement.Name.Split('.')[1], StringComparison.Ordinal)));
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
        var step = ConfigParts.Positive(config, "decoder_sparse_step", 1);
        var size = config.Int("moe_intermediate_size", defaultSize);
        return WithLayers(model, (layer, i) => mixture.Count < 1 || dense.Contains(i) || (i + 1) % step != 0
            ? layer
            : layer with { FeedForward = layer.FeedForward! with { IntermediateSize = size, Experts = mixture } });
    }

    /// <summary>A mixture as DeepSeek-V3 routes it: each expert is scored by itself and chosen with a bias, and some see every token.</summary>
    /// <param name="config">The config.</param>
    /// <param name="size">Of an expert.</param>
    /// <param name="active">num_experts_per_tok when it is missing; null where it must be there.</param>
    /// <param name="normalized">norm_topk_prob when it is missing.</param>
    /// <param name="scale">routed_scaling_factor when it is missing.</param>
    protected static ExpertsDescription BiasedExperts(ConfigFile config, int size, int? active, bool normalized, double scale) => new()
    {
        Count = config.Int("n_routed_experts"),
        Active = config.Int("num_experts_per_tok", active),
        Score = RouterScore.Sigmoid,
        SelectionBias = true,
        Groups = config.Int("n_group", 1) is not 1 and var groups ? new() { Count = groups, Active = config.Int("topk_group", 1), Leading = 2 } : null,
        Normalized = config.Bool("norm_topk_prob", normalized),
        Scale = (float)config.Double("routed_scaling_factor", scale) is not 1 and var factor ? factor : null,
        SharedSize = config.Int("n_shared_experts", 0) is > 0 and var shared ? size * shared : null,
    };

    /// <summary>A mixture in every layer, or every few, after the first ones.</summary>
    /// <param name="config">The config.</param>
    /// <param name="model">The model without experts.</param>
    /// <param name="mixture">Of the layers that have one.</param>
    /// <param name="size">Of an expert.</param>
    /// <param name="first">first_k_dense_replace when it is missing.</param>
    protected static ModelDescription AfterDense(ConfigFile config, ModelDescription model, ExpertsDescription mixture, int size, int first)
    {
        first = config.Int("first_k_dense_replace", first);
        var step = ConfigParts.Positive(config, "moe_layer_freq", 1);
        return WithLayers(model, (layer, i) => i < first || i % step != 0
            ? layer
            : layer with { FeedForward = layer.FeedForward! with { IntermediateSize = size, Experts = mixture } });
    }
}

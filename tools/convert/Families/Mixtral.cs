using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Mixtral: Mistral with a mixture of experts in every layer, two of eight for each token (Jiang et al. 2024, arXiv 2401.04088).</summary>
internal sealed class Mixtral() : ExpertLayout(
    new Dictionary<string, string>
    {
        ["feed_forward.gate"] = "model.layers.#.block_sparse_moe.experts.*.w1",
        ["feed_forward.up"] = "model.layers.#.block_sparse_moe.experts.*.w3",
        ["feed_forward.down"] = "model.layers.#.block_sparse_moe.experts.*.w2",
    },
    ("feed_forward.router", "model.layers.#.block_sparse_moe.gate"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MixtralForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Mixtral 8x7B and 8x22B (arXiv 2401.04088)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = new("llama")
    {
        Covers = file => file.FindInteger("llama.expert_count") > 0,
        TurnsPairs = true,
        Members = [("num_local_experts", "expert_count"), ("num_experts_per_tok", "expert_used_count")],
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        int? window = config.Has("sliding_window") ? config.Int("sliding_window") : null;
        var model = Describe(
            config, new(ContextLength: 131072, KeyValueHeads: 8, RotaryBase: 1e6) { Epsilon = 1e-5 }, inputBias: false, outputBias: false, _ => window);
        var experts = new ExpertsDescription { Count = config.Int("num_local_experts", 8), Active = config.Int("num_experts_per_tok", 2), Normalized = true };
        return WithLayers(model, (layer, _) => layer with { FeedForward = layer.FeedForward! with { Experts = experts } });
    }
}

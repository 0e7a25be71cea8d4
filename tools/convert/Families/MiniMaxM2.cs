using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>MiniMax-M2: Mixtral with norms of all queries and keys, a part of each head turning, and experts that are scored by themselves and chosen with a bias (MiniMax 2025, release).</summary>
internal sealed class MiniMaxM2() : ExpertLayout(
    new Dictionary<string, string>
    {
        ["feed_forward.gate"] = "model.layers.#.block_sparse_moe.experts.*.w1",
        ["feed_forward.up"] = "model.layers.#.block_sparse_moe.experts.*.w3",
        ["feed_forward.down"] = "model.layers.#.block_sparse_moe.experts.*.w2",
    },
    ("feed_forward.router", "model.layers.#.block_sparse_moe.gate"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MiniMaxM2ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("MiniMax-M2 (release, 2025)", "byte-level BPE");

    /// <inheritdoc/>
    protected override string SelectionBias => "model.layers.#.block_sparse_moe.e_score_correction_bias";

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        // The release says how many dimensions of a head turn, transformers which part.
        var headSize = config.Int("head_dim", 128);
        var turned = config.Int("rotary_dim", headSize) / (double)headSize;
        var defaults = new Defaults(ContextLength: 196608, KeyValueHeads: 8, RotaryBase: 5e6) { HeadSize = headSize, TurnedPart = turned };
        var model = Describe(config, defaults, inputBias: false, outputBias: false, _ => null);
        var experts = new ExpertsDescription
        {
            Count = config.Int(ConfigParts.Spelling(config, "num_local_experts", "num_experts"), 256),
            Active = config.Int("num_experts_per_tok", 8),
            Score = RouterScore.Sigmoid,
            SelectionBias = true,
            Normalized = true,
        };
        return WithLayers(model, (layer, _) => layer with
        {
            Attention = layer.Attention! with { QueryKeyNorm = new() { Norm = layer.AttentionNorm!, AcrossHeads = true } },
            FeedForward = layer.FeedForward! with { Experts = experts },
        });
    }
}

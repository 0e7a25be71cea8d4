using System.Globalization;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// NLLB-200 of 54 billion parameters: every fourth layer has a mixture of experts, two for each token (NLLB team 2022, arXiv 2207.04672). What experts give is
/// scaled as it was on average in training, where a part of it was dropped.
/// </summary>
internal sealed class NllbMoe() : M2M100(
    ("cross_attention_norm", "model.decoder.layers.#.cross_attention_layer_norm"),
    ("cross_attention.query", "model.decoder.layers.#.cross_attention.q_proj"),
    ("cross_attention.key", "model.decoder.layers.#.cross_attention.k_proj"),
    ("cross_attention.value", "model.decoder.layers.#.cross_attention.v_proj"),
    ("cross_attention.output", "model.decoder.layers.#.cross_attention.out_proj"),
    ("feed_forward_norm", "model.decoder.layers.#.ff_layer_norm"),
    ("feed_forward.up", "model.decoder.layers.#.ffn.fc1"),
    ("feed_forward.down", "model.decoder.layers.#.ffn.fc2"),
    ("feed_forward.router", "model.decoder.layers.#.ffn.router.classifier"),
    ("encoder.feed_forward_norm", "model.encoder.layers.#.ff_layer_norm"),
    ("encoder.feed_forward.up", "model.encoder.layers.#.ffn.fc1"),
    ("encoder.feed_forward.down", "model.encoder.layers.#.ffn.fc2"),
    ("encoder.feed_forward.router", "model.encoder.layers.#.ffn.router.classifier"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["NllbMoeForConditionalGeneration"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("NLLB-MoE-54B (arXiv 2207.04672)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        if (config.String("second_expert_policy") is { } policy and not "all")
            throw config.Error($"'second_expert_policy' {policy} drops experts at random; supported is all");
        var experts = new ExpertsDescription
        {
            Count = config.Int("num_experts", 128),
            Active = 2,
            Normalized = true,
            RouterBias = config.Bool("router_bias", false),
            Scale = (float)(1 - config.Double("moe_token_dropout", 0.2)),
        };
        return Describe(config, normsFirst: true, normsEmbedding: false, hasHeadBias: false, "relu", (block, isEncoder, layer) =>
            config.Int(isEncoder ? "encoder_sparse_step" : "decoder_sparse_step", 4) is var step and > 0 && (layer + 1) % step == 0 ? block with { Experts = experts } : block);
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var module = ModuleOf(requirement.Name);
        var layers = module.StartsWith(TensorSchema.Encoder, StringComparison.Ordinal) ? model.Encoder!.Layers : model.Layers;
        if (!(module.EndsWith("feed_forward.up", StringComparison.Ordinal) || module.EndsWith("feed_forward.down", StringComparison.Ordinal))
            || layers[LayerOf(requirement.Name)].FeedForward!.Experts is not { } experts)
            return base.Source(requirement, model, shelf);
        var rows = requirement.Shape[0] / experts.Count;
        return new([.. Enumerable.Range(0, experts.Count).Select(expert => OfRows(shelf.Take(SourceName(requirement.Name).Replace(
            ".ffn.", string.Create(CultureInfo.InvariantCulture, $".ffn.experts.expert_{expert}."), StringComparison.Ordinal)), rows))]);
    }
}

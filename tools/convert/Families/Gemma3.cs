using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Gemma 3, of which the larger ones read images too and are converted without: norms of each query and key head instead of caps, and a window with a rotary base of its own in all layers but
/// every sixth (Gemma team 2025, arXiv 2503.19786).
/// </summary>
internal sealed class Gemma3() : GemmaLayout(
    ("attention_output_norm", "model.layers.#.post_attention_layernorm"),
    ("feed_forward_norm", "model.layers.#.pre_feedforward_layernorm"),
    ("feed_forward_output_norm", "model.layers.#.post_feedforward_layernorm"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Gemma 3, without its images (arXiv 2503.19786)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = GgufOf("gemma3", evenLayers: 62, ("sliding_window_pattern", 6), ("rope_local_base_freq", 10000));

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        // The newer spelling has an underscore where layer_types stands beside it.
        var pattern = ConfigParts.Positive(config, config.Has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern", 6);
        bool Rule(int layer) => (layer + 1) % pattern != 0;
        const double GlobalBase = 1_000_000;
        var isSliding = LayerWindows.Slides(config, Rule);
        var model = DescribeGemma(config, new(ContextLength: 131072, KeyValueHeads: 4, GlobalBase) { QueryHeads = 8, Vocabulary = 262_208 }, LayerWindows.Mixed(config, Rule));

        var byType = config.Object("rope_parameters");
        RotaryDescription Rotary(string type, RotaryDescription otherwise) =>
            byType?.Object(type) is { } parameters ? RotaryConfig.Of(config, parameters, model.ContextLength, otherwise.Theta) : otherwise;
        var global = Rotary("full_attention", model.Layers[0].Attention!.Rotary!);
        var local = Rotary("sliding_attention", new() { Theta = config.Double("rope_local_base_freq", 10000) });
        return WithLayers(Sandwich(config, model, cap: (null, null)), (layer, i) => layer with
        {
            Attention = layer.Attention! with
            {
                QueryKeyNorm = new() { Norm = layer.AttentionNorm! },
                Rotary = isSliding(i) ? local : global,
            },
        });
    }
}

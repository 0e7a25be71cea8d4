using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Phi-3 and Phi-4: LLaMA with queries, keys and values in one matrix, gate and up in another (Microsoft 2024, arXiv 2404.14219).</summary>
internal sealed class Phi3() : LlamaLayout(
    ("attention.query", "model.layers.#.self_attn.qkv_proj"),
    ("attention.key", "model.layers.#.self_attn.qkv_proj"),
    ("attention.value", "model.layers.#.self_attn.qkv_proj"),
    ("feed_forward.gate", "model.layers.#.mlp.gate_up_proj"),
    ("feed_forward.up", "model.layers.#.mlp.gate_up_proj"))
{
    private const int Context = 4096;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Phi3ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new(
        "Phi-3 and 3.5 (arXiv 2404.14219), Phi-4 (arXiv 2412.08905), Phi-4-mini (arXiv 2503.01743)",
        "SentencePiece BPE; byte-level BPE (Phi-4)");

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = new("phi3") { Members = [("sliding_window", "attention.sliding_window")] };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        int? window = config.Has("sliding_window") ? config.Int("sliding_window") : null;
        // Earlier files of the release have other names for the one scaling that there is.
        var context = config.Length("max_position_embeddings", Context);
        RotaryDescription? rotary = RotaryConfig.Parameters(config) is { } parameters && RotaryConfig.Kind(parameters) is "longrope" or "su" or "yarn"
            ? new() { Theta = parameters.Double("rope_theta", config.Double("rope_theta", 10000)), Scaling = RotaryConfig.LongRope(config, parameters, context, Context) }
            : null;
        var defaults = new Defaults(Context, KeyValueHeads: null) { Epsilon = 1e-5, TurnedPart = 1, Rotary = rotary };
        return Describe(config, defaults, inputBias: false, outputBias: false, _ => window);
    }
}

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
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Phi3ForCausalLM"];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        int? window = config.Has("sliding_window") ? config.Int("sliding_window") : null;
        return Describe(
            config, new(ContextLength: 4096, KeyValueHeads: null) { Epsilon = 1e-5, TurnedPart = 1 }, inputBias: false, outputBias: false, _ => window);
    }
}

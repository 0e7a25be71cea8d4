using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>InternLM2: LLaMA with a matrix in which the queries of a key/value head stand before its key and its value (Cai et al. 2024, arXiv 2403.17297).</summary>
internal sealed class InternLm2() : LlamaLayout(
    ("embedding", "model.tok_embeddings"),
    ("attention_norm", "model.layers.#.attention_norm"),
    ("attention.query", "model.layers.#.attention.wqkv"),
    ("attention.key", "model.layers.#.attention.wqkv"),
    ("attention.value", "model.layers.#.attention.wqkv"),
    ("attention.output", "model.layers.#.attention.wo"),
    ("feed_forward_norm", "model.layers.#.ffn_norm"),
    ("feed_forward.gate", "model.layers.#.feed_forward.w1"),
    ("feed_forward.up", "model.layers.#.feed_forward.w3"),
    ("feed_forward.down", "model.layers.#.feed_forward.w2"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["InternLM2ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("InternLM2 (arXiv 2403.17297)", "SentencePiece BPE");

    /// <inheritdoc/>
    protected override string HeadModule => "output";

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("bias", true);
        return Describe(config, new(ContextLength: 2048, KeyValueHeads: null), bias, bias, _ => null);
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        FromFused(requirement, model, shelf, InGroups);
}

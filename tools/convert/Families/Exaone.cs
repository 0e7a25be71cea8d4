using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>EXAONE 3 and 3.5: LLaMA under names that GPT-2 has in part (LG AI Research 2024, arXiv 2408.03541 and 2412.04862).</summary>
internal sealed class Exaone() : LlamaLayout(
    ("embedding", "transformer.wte"),
    ("attention_norm", Layer + "ln_1"),
    ("attention.query", Layer + "attn.attention.q_proj"),
    ("attention.key", Layer + "attn.attention.k_proj"),
    ("attention.value", Layer + "attn.attention.v_proj"),
    ("attention.output", Layer + "attn.attention.out_proj"),
    ("feed_forward_norm", Layer + "ln_2"),
    ("feed_forward.gate", Layer + "mlp.c_fc_0"),
    ("feed_forward.up", Layer + "mlp.c_fc_1"),
    ("feed_forward.down", Layer + "mlp.c_proj"),
    ("final_norm", "transformer.ln_f"))
{
    private const string Layer = "transformer.h.#.";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["ExaoneForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("EXAONE 3 (arXiv 2408.03541), EXAONE 3.5 (arXiv 2412.04862), EXAONE Deep (arXiv 2503.12524)", "byte-level BPE");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) =>
        Describe(config, new(ContextLength: 2048, KeyValueHeads: null) { Epsilon = 1e-5 }, inputBias: false, outputBias: false, _ => null);
}

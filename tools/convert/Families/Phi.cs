using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Phi-1, 1.5 and 2 in transformers' layout (Gunasekar et al. 2023, arXiv 2306.11644).</summary>
internal sealed class Phi : PhiLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["PhiForCausalLM"];

    /// <inheritdoc/>
    public override bool Covers(ConfigFile config) => !PhiMsft.IsRelease(config);

    /// <inheritdoc/>
    public override FamilyCard Card => new("Phi-1 (arXiv 2306.11644), Phi-1.5 (arXiv 2309.05463), Phi-2 (release, 2023)", "byte-level BPE");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // Phi-2's model card: questions and answers.
        new("phi-2", """
            {%- for m in messages %}
            {%- if m.role == 'user' %}{{ 'Instruct: ' ~ m.content ~ '\n' }}
            {%- elif m.role == 'assistant' %}{{ 'Output: ' ~ m.content ~ '\n' }}{% endif %}
            {%- endfor %}
            {%- if add_generation_prompt %}{{ 'Output:' }}{% endif %}
            """) { StopStrings = ["\nInstruct:"], Roles = ChatRoles.UserAndAssistant },
    ];

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "model.embed_tokens",
        ["attention_norm"] = "model.layers.#.input_layernorm",
        ["attention.query"] = "model.layers.#.self_attn.q_proj",
        ["attention.key"] = "model.layers.#.self_attn.k_proj",
        ["attention.value"] = "model.layers.#.self_attn.v_proj",
        ["attention.query_norm"] = "model.layers.#.self_attn.q_layernorm",
        ["attention.key_norm"] = "model.layers.#.self_attn.k_layernorm",
        ["attention.output"] = "model.layers.#.self_attn.dense",
        ["feed_forward.up"] = "model.layers.#.mlp.fc1",
        ["feed_forward.down"] = "model.layers.#.mlp.fc2",
        ["final_norm"] = "model.final_layernorm",
    };

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        var attention = requirement.Name.StartsWith("layers.", StringComparison.Ordinal) ? model.Layers[LayerOf(requirement.Name)].Attention : null;
        return requirement.Name.Contains("attention.query_norm.", StringComparison.Ordinal) ? TensorSource.Repeated(stored, attention!.QueryHeads)
            : requirement.Name.Contains("attention.key_norm.", StringComparison.Ordinal) ? TensorSource.Repeated(stored, attention!.KeyValueHeads)
            : new(stored);
    }
}

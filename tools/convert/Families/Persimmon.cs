using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Persimmon 8B: LayerNorm, biases everywhere, squared ReLU without a gate, norms of query and key heads (Adept release, 2023).</summary>
internal sealed class Persimmon() : LlamaLayout(
    ("attention.query", "model.layers.#.self_attn.query_key_value"),
    ("attention.key", "model.layers.#.self_attn.query_key_value"),
    ("attention.value", "model.layers.#.self_attn.query_key_value"),
    ("attention.query_norm", "model.layers.#.self_attn.q_layernorm"),
    ("attention.key_norm", "model.layers.#.self_attn.k_layernorm"),
    ("attention.output", "model.layers.#.self_attn.dense"),
    ("feed_forward.up", "model.layers.#.mlp.dense_h_to_4h"),
    ("feed_forward.down", "model.layers.#.mlp.dense_4h_to_h"),
    ("final_norm", "model.final_layernorm"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["PersimmonForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Persimmon 8B (release, 2023)", "SentencePiece Unigram");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // Persimmon-8B-Chat's release.
        new("persimmon", """
            {%- for m in messages %}
            {%- if m.role == 'user' %}{{ 'human: ' ~ m.content ~ '\n\n' }}
            {%- elif m.role == 'assistant' %}{{ 'adept: ' ~ m.content ~ '\n\n' }}{% endif %}
            {%- endfor %}
            {%- if add_generation_prompt %}{{ 'adept:' }}{% endif %}
            """) { StopStrings = ["\n\nhuman:"], Roles = ChatRoles.UserAndAssistant },
    ];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var norm = ConfigParts.LayerNorm(config, "layer_norm_eps");
        var defaults = new Defaults(ContextLength: 16384, KeyValueHeads: null, RotaryBase: 25000) { Norm = norm, TurnedPart = 0.5, Activation = "relu2" };
        return WithLayers(Describe(config, defaults, inputBias: true, outputBias: true, _ => null), (layer, _) => layer with
        {
            Attention = layer.Attention! with { QueryKeyNorm = config.Bool("qk_layernorm", true) ? new() { Norm = norm } : null },
            FeedForward = layer.FeedForward! with { Plain = true, Bias = true },
        });
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => PartOf(requirement.Name) >= 0
        ? FromFused(requirement, model, shelf, InGroups)
        : TensorSource.Repeated(shelf.Take(SourceName(requirement.Name)), HeadsOf(requirement.Name, model));
}

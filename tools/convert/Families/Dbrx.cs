using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// DBRX: many experts in every layer, four of sixteen for each token, and queries, keys and values that are clamped (Databricks 2024, release). A layer's experts are three tensors of
/// [experts · F, C], the last of which is stored [in, out].
/// </summary>
internal sealed class Dbrx : ModuleFamily
{
    private const string Experts = "transformer.blocks.#.ffn.experts.mlp.";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["DbrxForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("DBRX 132B-A36B (release, 2024)", "byte-level BPE");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.wte",
        ["attention_norm"] = "transformer.blocks.#.norm_attn_norm.norm_1",
        ["attention.query"] = "transformer.blocks.#.norm_attn_norm.attn.Wqkv",
        ["attention.key"] = "transformer.blocks.#.norm_attn_norm.attn.Wqkv",
        ["attention.value"] = "transformer.blocks.#.norm_attn_norm.attn.Wqkv",
        ["attention.output"] = "transformer.blocks.#.norm_attn_norm.attn.out_proj",
        ["feed_forward_norm"] = "transformer.blocks.#.norm_attn_norm.norm_2",
        ["feed_forward.router"] = "transformer.blocks.#.ffn.router.layer",
        ["feed_forward.gate"] = Experts + "w1",
        ["feed_forward.up"] = Experts + "v1",
        ["feed_forward.down"] = Experts + "w2",
        ["final_norm"] = "transformer.norm_f",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        const double DefaultBase = 10000;
        var hidden = config.Int("d_model", 2048);
        var heads = config.Int("n_heads", 16);
        var context = config.Length("max_seq_len", 2048);
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var norm = ConfigParts.LayerNorm(1e-5) with { Bias = false };
        var attention = config.Object("attn_config");
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = attention?.Int("kv_n_heads", 1) ?? 1,
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                Clip = attention is null ? null : ConfigParts.Optional(attention, "clip_qkv"),
                Rotary = RotaryConfig.Read(config, context, attention?.Double("rope_theta", DefaultBase) ?? DefaultBase),
            },
            FeedForwardNorm = norm,
            FeedForward = DescribeExperts(config),
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "n_layers"))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", false) },
        };
    }

    /// <inheritdoc/>
    public override string SourceName(string packedName) => ModuleOf(packedName) is "feed_forward.gate" or "feed_forward.up" or "feed_forward.down"
        ? base.SourceName(packedName)[..^".weight".Length]
        : base.SourceName(packedName);

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        if (ModuleOf(requirement.Name) != "feed_forward.down")
            return FromFused(requirement, model, shelf, InSequence);
        var (inputs, experts) = (requirement.Shape[1], model.Layers[LayerOf(requirement.Name)].FeedForward!.Experts!.Count);
        return new(OfRows(shelf.Take(SourceName(requirement.Name)), experts * inputs).Split(0, inputs).Transpose(1, 2));
    }

    private static FeedForwardDescription DescribeExperts(ConfigFile config)
    {
        var block = config.Object("ffn_config");
        const string Power = "moe_normalize_expert_weights";
        // The scores of the chosen are divided by their p-norm, which for 1 is their sum.
        if (block?.Has(Power) == true && block.Double(Power) != 1)
            throw block.Error($"'ffn_config.{Power}' {block.Double(Power)} is not supported; supported are 1 and null");
        return new()
        {
            IntermediateSize = block?.Int("ffn_hidden_size", 3584) ?? 3584,
            Activation = block?.Object("ffn_act_fn") is { } activation ? ConfigParts.Activation(activation, "name", "silu") : Activation.Silu,
            Experts = new()
            {
                Count = block?.Int("moe_num_experts", 4) ?? 4,
                Active = block?.Int("moe_top_k", 1) ?? 1,
                Normalized = block?.IsNull(Power) != true,
            },
        };
    }
}

using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>DeciLM: LLaMA whose layers have different numbers of key/value heads (Deci releases, 2023).</summary>
internal sealed class DeciLm : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["DeciLMForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("DeciLM 6B and 7B (release, 2023)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        // The same architecture's name is used by models whose layers differ in more than this.
        if (config.Has("block_configs"))
            throw config.Error("'block_configs' is not supported");
        var bias = config.Bool("attention_bias", false);
        var model = Describe(config, new(ContextLength: 2048, KeyValueHeads: null), bias, bias, _ => null);
        const string Heads = "num_key_value_heads_per_layer";
        var heads = ConfigParts.OfLayers(config, Heads, config.Ints(Heads), model.Layers.Count);
        return WithLayers(model, (layer, i) => layer with { Attention = layer.Attention! with { KeyValueHeads = heads[i] } });
    }
}

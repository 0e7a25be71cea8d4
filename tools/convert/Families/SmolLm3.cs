using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>SmolLM3: LLaMA in which every fourth layer has no positions (Hugging Face release, 2025; Yang et al. 2025, arXiv 2501.18795).</summary>
internal sealed class SmolLm3 : LlamaLayout
{
    private const int Interval = 4;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["SmolLM3ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("SmolLM3 (release, 2025)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var interval = Math.Max(config.Int("no_rope_layer_interval", Interval), 1);
        const string Rotary = "no_rope_layers";
        var turns = config.Has(Rotary) ? ConfigParts.OfLayers(config, Rotary, config.Ints(Rotary), ConfigParts.Layers(config, "num_hidden_layers")) : null;
        bool Turns(int layer) => turns is null ? (layer + 1) % interval != 0 : turns[layer] != 0;
        var bias = config.Bool("attention_bias", false);
        var window = config.Bool("use_sliding_window", false) ? LayerWindows.Mixed(config, layer => !Turns(layer)) : _ => null;
        var defaults = new Defaults(ContextLength: 32768, KeyValueHeads: 4, RotaryBase: 2000000) { Tied = true };
        return WithLayers(Describe(config, defaults, bias, bias, window), (layer, i) =>
            Turns(i) ? layer : layer with { Attention = layer.Attention! with { Rotary = null } });
    }
}

using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Code World Model: Llama 3 with windows in all layers but every fourth (Meta FAIR 2025, arXiv 2510.02387).</summary>
internal sealed class Cwm : LlamaLayout
{
    private const int Pattern = 4;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["CwmForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Code World Model (arXiv 2510.02387)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var window = LayerWindows.Mixed(config, layer => layer % Pattern != 0, defaultWindow: 8192);
        return Describe(config, new(ContextLength: 131072, KeyValueHeads: 8, RotaryBase: 1e6) { HeadSize = 128, Epsilon = 1e-5 }, inputBias: false, outputBias: false, window);
    }
}

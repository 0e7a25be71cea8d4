using System.Text.Json;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// EXAONE 4: norms of what the branches give and of each query and key head, none before; where some layers have windows, the others have no positions (LG AI Research
/// 2025, arXiv 2507.11407).
/// </summary>
internal sealed class Exaone4() : LlamaLayout(
    ("attention_output_norm", "model.layers.#.post_attention_layernorm"),
    ("feed_forward_output_norm", "model.layers.#.post_feedforward_layernorm"))
{
    private const int Pattern = 4;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Exaone4ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("EXAONE 4 (arXiv 2507.11407)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        // "LLLG" stands for local and global layers, as the number 4 does.
        var pattern = config.Json("sliding_window_pattern") is { ValueKind: JsonValueKind.String } letters ? Math.Max(letters.GetString()!.Length, 1) : Math.Max(config.Int("sliding_window_pattern", Pattern), 1);
        var isMixed = !config.IsNull("sliding_window");
        var window = LayerWindows.Mixed(config, layer => (layer + 1) % pattern != 0);
        var model = Describe(config, new(ContextLength: 2048, KeyValueHeads: null) { Epsilon = 1e-5 }, inputBias: false, outputBias: false, window);
        return WithLayers(WithOutputNorms(model), (layer, _) => layer with
        {
            Attention = layer.Attention! with
            {
                QueryKeyNorm = layer.Attention.QueryKeyNorm! with { AcrossHeads = false },
                Rotary = isMixed && layer.Attention.Window is null ? null : layer.Attention.Rotary,
            },
        });
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        TensorSource.Repeated(Rows(requirement, model, shelf), HeadsOf(requirement.Name, model));
}

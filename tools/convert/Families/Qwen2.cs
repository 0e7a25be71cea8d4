using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Qwen1.5, Qwen2 and Qwen2.5: LLaMA's layout with biases on queries, keys and values (Qwen team 2024, arXiv 2407.10671).</summary>
internal sealed class Qwen2 : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Qwen2ForCausalLM"];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var layerTypes = config.Strings("layer_types");
        int? Window(int layer)
        {
            if (!config.Bool("use_sliding_window", false) || config.IsNull("sliding_window"))
                return null;
            var sliding = layer < layerTypes.Count
                ? layerTypes[layer] == "sliding_attention"
                : layer >= config.Int("max_window_layers", 28);
            return sliding ? config.Int("sliding_window", 4096) : null;
        }

        return Describe(config, new(ContextLength: 32768, KeyValueHeads: 32), inputBias: true, outputBias: false, Window);
    }
}

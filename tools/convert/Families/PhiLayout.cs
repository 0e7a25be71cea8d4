using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What the layouts of Phi-1, 1.5 and 2 share: branches that read one norm, part of a head turning, a head with a bias.</summary>
internal abstract class PhiLayout : ModuleFamily
{
    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        string Name(string ported, string released) => ConfigParts.Spelling(config, ported, released);
        var hidden = config.Int(Name("hidden_size", "n_embd"));
        var heads = config.Int(Name("num_attention_heads", "n_head"));
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Length(Name("max_position_embeddings", "n_positions"), 2048);
        var norm = ConfigParts.LayerNorm(config, Name("layer_norm_eps", "layer_norm_epsilon"));
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = config.Int(Name("num_key_value_heads", "n_head_kv"), heads),
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                InputBias = true,
                OutputBias = true,
                QueryKeyNorm = config.Bool("qk_layernorm", false) ? new() { Norm = norm } : null,
                Rotary = config.Has("rotary_dim")
                    ? new() { Size = Math.Min(config.Int("rotary_dim"), size), Theta = 10000 }
                    : RotaryConfig.ReadPartial(config, context, size, defaultPart: 0.5),
            },
            Parallel = true,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Has("n_embd") ? config.Int("n_inner", 4 * hidden) : config.Int("intermediate_size"),
                Activation = ConfigParts.Activation(config, Name("hidden_act", "activation_function"), "gelu_new"),
                Bias = true,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, Name("num_hidden_layers", "n_layer")))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", false), Bias = true },
        };
    }
}

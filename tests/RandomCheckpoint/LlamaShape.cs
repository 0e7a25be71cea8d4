using System.Diagnostics.CodeAnalysis;

namespace Weft.RandomCheckpoint;

/// <summary>The sizes of a Llama model with a head of its own, and the tensors and the config that follow from them.</summary>
internal sealed record LlamaShape(int Hidden, int Layers, int Heads, int KeyValueHeads, int Intermediate, int Vocabulary, int Context)
{
    /// <summary>TinyLlama-1.1B (Zhang et al. 2024, arXiv 2401.02385).</summary>
    public static LlamaShape TinyLlama { get; } = new(2048, 22, 32, 4, 5632, 32000, 2048);

    /// <summary>A few megabytes, to try things out.</summary>
    public static LlamaShape Small { get; } = new(256, 4, 8, 2, 704, 2048, 512);

    /// <summary>config.json.</summary>
    public string Config => $$"""
        {
          "architectures": ["LlamaForCausalLM"],
          "model_type": "llama",
          "hidden_size": {{Hidden}},
          "num_hidden_layers": {{Layers}},
          "num_attention_heads": {{Heads}},
          "num_key_value_heads": {{KeyValueHeads}},
          "intermediate_size": {{Intermediate}},
          "vocab_size": {{Vocabulary}},
          "max_position_embeddings": {{Context}},
          "rms_norm_eps": 1e-05,
          "rope_theta": 10000.0,
          "hidden_act": "silu",
          "tie_word_embeddings": false,
          "bos_token_id": 1,
          "eos_token_id": 2,
          "torch_dtype": "bfloat16"
        }

        """;

    /// <summary>Names and shapes in file order; those of one dimension are norms.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors
    {
        get
        {
            var keyValue = Hidden / Heads * KeyValueHeads;
            yield return ("model.embed_tokens.weight", [Vocabulary, Hidden]);
            for (var layer = 0; layer < Layers; layer++)
            {
                var prefix = $"model.layers.{layer}.";
                yield return (prefix + "input_layernorm.weight", [Hidden]);
                yield return (prefix + "self_attn.q_proj.weight", [Hidden, Hidden]);
                yield return (prefix + "self_attn.k_proj.weight", [keyValue, Hidden]);
                yield return (prefix + "self_attn.v_proj.weight", [keyValue, Hidden]);
                yield return (prefix + "self_attn.o_proj.weight", [Hidden, Hidden]);
                yield return (prefix + "post_attention_layernorm.weight", [Hidden]);
                yield return (prefix + "mlp.gate_proj.weight", [Intermediate, Hidden]);
                yield return (prefix + "mlp.up_proj.weight", [Intermediate, Hidden]);
                yield return (prefix + "mlp.down_proj.weight", [Hidden, Intermediate]);
            }

            yield return ("model.norm.weight", [Hidden]);
            yield return ("lm_head.weight", [Vocabulary, Hidden]);
        }
    }

    /// <summary>The shape of the given name.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out LlamaShape? shape)
    {
        shape = name switch { "tinyllama" => TinyLlama, "small" => Small, _ => null };
        return shape is not null;
    }
}

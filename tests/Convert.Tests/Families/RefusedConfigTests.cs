using Weft.Convert.Tests.Support;

namespace Weft.Convert.Tests.Families;

/// <summary>Configs that ask for what the runtime would compute wrongly, or for nonsense: each is refused with a sentence naming the member.</summary>
[TestFixture]
public sealed class RefusedConfigTests
{
    private const string PhiLongRope =
        "{\"rope_scaling\":{\"type\":\"longrope\",\"original_max_position_embeddings\":4096,\"short_factor\":[1,1,1,1,1,1,1,1],\"long_factor\":[2,2,2,2,2,2,2,2],";

    [TestCase("LlamaForCausalLM", "{\"num_hidden_layers\":-1}", "num_hidden_layers")]
    [TestCase("LlamaForCausalLM", "{\"num_hidden_layers\":2000000000}", "num_hidden_layers")]
    [TestCase("LlamaForCausalLM", "{\"partial_rotary_factor\":0.5}", "partial_rotary_factor")]
    [TestCase("LlamaForCausalLM", "{\"rope_parameters\":{\"partial_rotary_factor\":0.5}}", "partial_rotary_factor")]
    [TestCase("LlamaForCausalLM", "{\"rope_scaling\":{\"rope_type\":\"dynamic\"}}", "factor")]
    [TestCase("LlamaForCausalLM", "{\"rope_scaling\":{\"type\":\"spiral\"}}", "linear, dynamic, llama3, yarn, longrope")]
    [TestCase("Phi3ForCausalLM", "{\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":\"all\"}}", "short_factor")]
    [TestCase("GemmaForCausalLM", "{\"use_bidirectional_attention\":true}", "use_bidirectional_attention")]
    [TestCase("Gemma2ForCausalLM", "{\"layer_types\":[\"chunked_attention\",\"full_attention\"]}", "layer_types")]
    [TestCase("Gemma3ForCausalLM", "{\"sliding_window_pattern\":0}", "'sliding_window_pattern' is 0, but must be positive")]
    [TestCase("Gemma3ForCausalLM", "{\"_sliding_window_pattern\":-6}", "'_sliding_window_pattern' is -6, but must be positive")]
    [TestCase("Gemma3ForCausalLM", "{\"layer_types\":[\"sliding_attention\"]}", "'layer_types' has 1 entries, but there are 2 layers")]
    [TestCase("Gemma3ForCausalLM", "{\"layer_types\":[\"sliding_attention\",\"full_attention\",\"full_attention\"]}", "'layer_types' has 3 entries, but there are 2 layers")]
    [TestCase("Gemma3ForCausalLM", "{\"layer_types\":[\"sliding_attention\",\"ring_attention\"]}", "'layer_types' has 'ring_attention'")]
    [TestCase("Gemma2ForCausalLM", "{\"layer_types\":[]}", "'layer_types' has 0 entries, but there are 2 layers")]
    [TestCase("GptOssForCausalLM", "{\"layer_types\":[\"sliding_attention\"]}", "'layer_types' has 1 entries, but there are 2 layers")]
    [TestCase("Qwen2ForCausalLM", "{\"layer_types\":[\"full_attention\"]}", "'layer_types' has 1 entries, but there are 2 layers")]
    [TestCase("Qwen2ForCausalLM", "{\"layer_types\":[\"full_attention\",\"linear_attention\"]}", "'layer_types' has 'linear_attention'")]
    [TestCase("Qwen2ForCausalLM", "{\"layer_types\":[\"full_attention\",\"sliding_attention\"]}", "'layer_types' names layers of sliding_attention, but 'use_sliding_window' is false")]
    [TestCase("SmolLM3ForCausalLM", "{\"no_rope_layers\":[1,1,0]}", "'no_rope_layers' has 3 entries, but there are 2 layers")]
    [TestCase("RWKV7ForCausalLM", "{\"value_dim\":[64,64,64]}", "'value_dim' has 3 entries, but there are 2 layers")]
    [TestCase("Cohere2ForCausalLM", "{\"sliding_window_pattern\":0}", "'sliding_window_pattern' is 0, but must be positive")]
    [TestCase("Exaone4ForCausalLM", "{\"sliding_window_pattern\":\"\",\"hidden_act\":\"mish\"}", "mish")]
    [TestCase("Qwen3MoeForCausalLM", "{\"decoder_sparse_step\":0}", "'decoder_sparse_step' is 0, but must be positive")]
    [TestCase("GPTNeoForCausalLM", "{\"attention_layers\":[\"local\",\"local\"],\"attention_types\":[[[\"global\",\"local\"],1]]}", "'attention_layers' and 'attention_types' describe different layers")]
    [TestCase("GPTNeoForCausalLM", "{\"attention_layers\":[\"local\"]}", "describe 1 layers, but there are 2")]
    [TestCase("GPT2LMHeadModel", "{\"n_layer\":3}", "'n_layer' is 3 and 'num_hidden_layers' 2, though they mean the same")]
    [TestCase("FalconForCausalLM", "{\"n_head\":2}", "'num_attention_heads' is 4 and 'n_head' 2, though they mean the same")]
    [TestCase("QWenLMHeadModel", "{\"intermediate_size\":97}", "'intermediate_size' is 97, which cannot be halved for gate and up")]
    [TestCase("OpenELMForCausalLM", "{\"num_transformer_layers\":2,\"num_query_heads\":[4,4],\"num_kv_heads\":[4,4],\"ffn_multipliers\":[1,1],\"model_dim\":64,\"ffn_dim_divisor\":0}", "'ffn_dim_divisor' is 0, but must be positive")]
    [TestCase("LlamaForCausalLM", "{\"rope_scaling\":{\"factor\":2.0}}", "the rotary scaling has a factor, 2, but no 'rope_type'")]
    [TestCase("LlamaForCausalLM", "{\"rope_parameters\":{\"rope_theta\":5000},\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":2}}", "'rope_parameters' and 'rope_scaling' are both there")]
    [TestCase("Qwen3ForCausalLM", "{\"use_sliding_window\":true,\"layer_types\":[\"linear_attention\",\"full_attention\"]}", "linear_attention")]
    [TestCase("QWenLMHeadModel", "{\"apply_residual_connection_post_layernorm\":true}", "apply_residual_connection_post_layernorm")]
    [TestCase("DeciLMForCausalLM", "{}", "num_key_value_heads_per_layer")]
    [TestCase("DeciLMForCausalLM", "{\"num_key_value_heads_per_layer\":[4]}", "'num_key_value_heads_per_layer' has 1 entries, but there are 2 layers")]
    [TestCase("DeciLMForCausalLM", "{\"block_configs\":[]}", "block_configs")]
    [TestCase("StableLmForCausalLM", "{\"hidden_act\":\"mish\"}", "mish")]
    [TestCase("InternLM2ForCausalLM", "{\"rope_scaling\":{\"type\":\"spiral\"}}", "spiral")]
    [TestCase("DeepseekV2ForCausalLM", "{\"n_routed_experts\":8,\"num_experts_per_tok\":2,\"topk_method\":\"spiral\"}", "spiral")]
    [TestCase("DeepseekV3ForCausalLM", "{\"n_routed_experts\":8,\"scoring_func\":\"tanh\"}", "scoring_func")]
    [TestCase("DeepseekV3ForCausalLM", "{\"rope_interleave\":false}", "rope_interleave")]
    [TestCase("DbrxForCausalLM", "{\"n_layers\":2,\"ffn_config\":{\"moe_normalize_expert_weights\":2}}", "ffn_config.moe_normalize_expert_weights' 2")]
    [TestCase("DbrxForCausalLM", "{\"n_layers\":2,\"ffn_config\":{\"ffn_act_fn\":{\"name\":\"mish\"}}}", "mish")]
    [TestCase("GraniteMoeForCausalLM", "{\"residual_multiplier\":0}", "residual_multiplier")]
    [TestCase("PhimoeForCausalLM", "{\"num_experts_per_tok\":3}", "num_experts_per_tok")]
    [TestCase("PhimoeForCausalLM", "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}", "linear")]
    [TestCase("PhimoeForCausalLM", PhiLongRope + "\"short_mscale\":1.25,\"long_mscale\":1.5}}", "long_mscale' 1.5")]
    [TestCase("PhimoeForCausalLM", PhiLongRope + "\"long_mscale\":1.5}}", "short_mscale")]
    [TestCase("HunYuanDenseV1ForCausalLM", "{\"use_cla\":true}", "use_cla")]
    public void A_config_that_cannot_be_honoured_is_refused(string architecture, string members, string named) => Assert.That(
        Conversion.Sentence(() => ConfigText.Describe(architecture, members)), Does.Contain("config.json: ").And.Contain(named));

    [Test]
    public void The_same_config_without_them_is_accepted() =>
        Assert.That(() => ConfigText.Describe("LlamaForCausalLM", "{\"partial_rotary_factor\":1.0}"), Throws.Nothing);
}

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
    [TestCase("Gemma3ForCausalLM", "{\"sliding_window_pattern\":0}", "sliding_window_pattern")]
    [TestCase("Qwen3ForCausalLM", "{\"use_sliding_window\":true,\"layer_types\":[\"linear_attention\",\"full_attention\"]}", "linear_attention")]
    [TestCase("QWenLMHeadModel", "{\"apply_residual_connection_post_layernorm\":true}", "apply_residual_connection_post_layernorm")]
    [TestCase("DeciLMForCausalLM", "{}", "num_key_value_heads_per_layer")]
    [TestCase("DeciLMForCausalLM", "{\"num_key_value_heads_per_layer\":[4]}", "num_key_value_heads_per_layer")]
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

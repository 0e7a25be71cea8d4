using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Models;

namespace Weft.Convert.Tests.Families;

/// <summary>LLaMA's relatives: what the members of their configs mean, and what it means that one is missing.</summary>
[TestFixture]
public sealed class LineageConfigTests
{
    [TestCase("Qwen3ForCausalLM", 32768, 32, 128, 10000, 1e-6)]
    [TestCase("GemmaForCausalLM", 8192, 16, 256, 10000, 1e-6)]
    [TestCase("Gemma2ForCausalLM", 8192, 4, 256, 10000, 1e-6)]
    [TestCase("Gemma3ForCausalLM", 131072, 4, 256, 10000, 1e-6)]
    [TestCase("Phi3ForCausalLM", 4096, 4, 16, 10000, 1e-5)]
    [TestCase("StableLmForCausalLM", 4096, 32, 16, 10000, 1e-5)]
    [TestCase("PersimmonForCausalLM", 16384, 4, 16, 25000, 1e-5)]
    [TestCase("OlmoForCausalLM", 2048, 4, 16, 10000, 1e-5)]
    [TestCase("Olmo2ForCausalLM", 2048, 4, 16, 10000, 1e-5)]
    [TestCase("CohereForCausalLM", 8192, 4, 16, 500000, 1e-5)]
    [TestCase("GlmForCausalLM", 131072, 2, 128, 10000, 1.5625e-7)]
    [TestCase("Glm4ForCausalLM", 131072, 2, 128, 10000, 1.5625e-7)]
    [TestCase("BaichuanForCausalLM", 4096, 4, 16, null, 1e-6)]
    [TestCase("QWenLMHeadModel", 8192, 4, 128, 10000, 1e-6)]
    [TestCase("InternLM2ForCausalLM", 2048, 4, 16, 10000, 1e-6)]
    public void Missing_members_mean_the_familys_defaults(string architecture, int context, int keyValueHeads, int headSize, double? theta, double epsilon)
    {
        var model = ConfigText.Describe(architecture);
        var attention = model.Layers[0].Attention!;
        Assert.That((model.ContextLength, attention.KeyValueHeads, attention.HeadSize), Is.EqualTo((context, keyValueHeads, headSize)));
        Assert.That(attention.Rotary?.Theta, Is.EqualTo(theta));
        Assert.That(model.FinalNorm!.Epsilon, Is.EqualTo((float)epsilon));
        Assert.That(model.Head.Tied, Is.EqualTo(architecture.StartsWith("Gemma", StringComparison.Ordinal) || architecture == "CohereForCausalLM"));
    }

    [TestCase("{\"head_dim\":32,\"rope_scaling\":{\"alpha\":1000,\"beta_fast\":32,\"factor\":1,\"type\":\"dynamic\"}}", 15848931.924611134, null)]
    [TestCase("{\"rope_theta\":20000,\"rope_scaling\":{\"factor\":2,\"type\":\"dynamic\"}}", 20000, RotaryScalingKind.Dynamic)]
    public void Hunyuans_base_is_as_large_from_the_beginning_where_it_has_an_alpha(string members, double theta, RotaryScalingKind? scaling)
    {
        var attention = ConfigText.Describe("HunYuanDenseV1ForCausalLM", members).Layers[0].Attention!;
        Assert.That(attention.Rotary!.Theta, Is.EqualTo(theta).Within(1e-8).Percent);
        Assert.That((attention.Rotary.Scaling?.Kind, attention.QueryKeyNorm!.AfterTurning), Is.EqualTo((scaling, true)));
    }

    [TestCase(1024, null)]
    [TestCase(131072, 2.0)]
    public void Phis_experts_are_weighed_within_twice_the_noise_and_its_scaling_has_the_configs_factor(int context, double? divisor)
    {
        var model = ConfigText.Describe("PhiMoEForCausalLM", $$$"""
            {"max_position_embeddings":{{{context}}},"num_key_value_heads":2,"lm_head_bias":true,"attention_bias":true,"router_jitter_noise":0.02,"rope_scaling":{"type":"longrope",
             "original_max_position_embeddings":4096,"short_factor":[1,1,1,1,1,1,1,1],"long_factor":[2,2,2,2,2,2,2,2],"short_mscale":1.25,"long_mscale":1.25}}
            """);
        Assert.That(ModelCheck.FindError(model), Is.Null);
        Assert.That(model.Layers[0].FeedForward!.Experts, Is.EqualTo(new ExpertsDescription { Count = 16, Active = 2, Margin = 0.04f }));
        Assert.That((model.Layers[0].AttentionNorm!.Kind, model.Layers[0].AttentionNorm!.Bias, model.Head.Bias), Is.EqualTo((NormKind.Layer, true, true)));
        var scaling = model.Layers[0].Attention!.Rotary!.Scaling!;
        Assert.That((scaling.AttentionFactor, scaling.LongDivisors?[0]), Is.EqualTo((1.25, divisor)));
    }

    [TestCase("{}", 10000, null, true)]
    [TestCase("{\"attn_config\":{\"clip_qkv\":8,\"kv_n_heads\":8,\"rope_theta\":500000},\"ffn_config\":{\"moe_num_experts\":16,\"moe_top_k\":4,\"moe_normalize_expert_weights\":null}}", 500000, 8f, false)]
    [TestCase("{\"attn_config\":{\"rope_theta\":500000},\"rope_parameters\":{\"rope_theta\":20000,\"rope_type\":\"default\"}}", 20000, null, true)]
    public void Dbrx_has_its_base_and_its_clamp_with_attention(string members, double theta, float? clip, bool isNormalized)
    {
        var model = ConfigText.Describe("DbrxForCausalLM", With(members, "n_layers", 3));
        Assert.That(ModelCheck.FindError(model), Is.Null);
        var layer = model.Layers[2];
        Assert.That((layer.Attention!.Rotary!.Theta, layer.Attention.Clip, layer.FeedForward!.Experts!.Normalized), Is.EqualTo((theta, clip, isNormalized)));
        Assert.That((layer.AttentionNorm!.Kind, layer.AttentionNorm.Bias, layer.FeedForward.IntermediateSize), Is.EqualTo((NormKind.Layer, false, 3584)));
    }

    [TestCase("{\"hidden_act\":\"gelu\"}", Activation.GeluTanh)]
    [TestCase("{\"hidden_act\":\"gelu\",\"hidden_activation\":null}", Activation.GeluTanh)]
    [TestCase("{\"hidden_act\":\"gelu\",\"hidden_activation\":\"gelu_pytorch_tanh\"}", Activation.GeluTanh)]
    [TestCase("{\"hidden_activation\":\"gelu\"}", Activation.Gelu)]
    public void Gemmas_first_activation_is_the_approximation_whatever_it_is_called(string members, Activation activation)
    {
        var model = ConfigText.Describe("GemmaForCausalLM", members);
        Assert.That(model.Layers[1].FeedForward!.Activation, Is.EqualTo(activation));
        Assert.That(model.Embedding!.Scale, Is.EqualTo(8));
    }

    [TestCase("{}", 50f, 30f)]
    [TestCase("{\"attn_logit_softcapping\":null,\"final_logit_softcapping\":20}", null, 20f)]
    public void Gemma2_caps_unless_the_cap_is_null(string members, float? scores, float? logits)
    {
        var model = ConfigText.Describe("Gemma2ForCausalLM", members);
        Assert.That((model.Layers[0].Attention!.SoftCap, model.Head.SoftCap), Is.EqualTo((scores, logits)));
        Assert.That(model.Layers.Select(layer => layer.Attention!.Window), Is.EqualTo(new int?[] { 4096, null }));
        Assert.That(model.Layers[0].Attention!.Scale, Is.EqualTo(1 / 16f));
    }

    [TestCase("{\"rope_local_base_freq\":5000,\"rope_theta\":2000000,\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8},\"sliding_window_pattern\":3}")]
    [TestCase("""
        {"rope_parameters":{"full_attention":{"rope_type":"linear","factor":8,"rope_theta":2000000},"sliding_attention":{"rope_type":"default","rope_theta":5000}},
        "layer_types":["sliding_attention","sliding_attention","full_attention"]}
        """)]
    public void Gemma3_turns_by_another_base_where_it_has_a_window(string members)
    {
        var layers = ConfigText.Describe("Gemma3ForCausalLM", With(members, "num_hidden_layers", 3)).Layers;
        var local = new RotaryDescription { Theta = 5000 };
        Assert.That(layers.Select(layer => layer.Attention!.Window), Is.EqualTo(new int?[] { 4096, 4096, null }));
        Assert.That(layers.Select(layer => layer.Attention!.Rotary), Is.EqualTo(new[]
        {
            local, local, new() { Theta = 2000000, Scaling = new() { Kind = RotaryScalingKind.Linear, Factor = 8 } },
        }));
    }

    [TestCase("{\"partial_rotary_factor\":0.75}", 12)]
    [TestCase("{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":10000,\"partial_rotary_factor\":0.75}}", 12)]
    [TestCase("{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":10000,\"partial_rotary_factor\":1.0}}", null)]
    [TestCase("{}", null)]
    public void Phi3_may_turn_a_part_of_each_head(string members, int? size) =>
        Assert.That(ConfigText.Describe("Phi3ForCausalLM", members).Layers[0].Attention!.Rotary!.Size, Is.EqualTo(size));

    [TestCase("{\"sliding_window\":2047}", 2047)]
    [TestCase("{\"sliding_window\":null}", null)]
    [TestCase("{}", null)]
    public void Phi3_has_a_window_if_it_says_so(string members, int? window) =>
        Assert.That(ConfigText.Describe("Phi3ForCausalLM", members).Layers.Select(layer => layer.Attention!.Window), Is.All.EqualTo(window));

    [TestCase("{\"original_max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1.5,2,3],\"long_factor\":[1,2,40,60]}}")]
    [TestCase("{\"original_max_position_embeddings\":4096,\"rope_scaling\":{\"type\":\"su\",\"short_factor\":[1,1.5,2,3],\"long_factor\":[1,2,40,60]}}")]
    [TestCase("{\"rope_parameters\":{\"rope_type\":\"longrope\",\"rope_theta\":10000,\"original_max_position_embeddings\":4096,\"short_factor\":[1,1.5,2,3],\"long_factor\":[1,2,40,60]}}")]
    public void Phi3_with_LongRope_turns_long_texts_another_way(string members)
    {
        var model = ConfigText.Describe("Phi3ForCausalLM", With(With(members, "max_position_embeddings", 131072), "partial_rotary_factor", 0.5));
        Assert.That(model.ContextLength, Is.EqualTo(131072));
        Assert.That(ModelCheck.FindError(model), Is.Null);
        Assert.That(model.Layers[1].Attention!.Rotary, Is.EqualTo(new RotaryDescription
        {
            Theta = 10000,
            Size = 8,
            Scaling = new()
            {
                Kind = RotaryScalingKind.LongRope, Factor = 32, OriginalContextLength = 4096, AttentionFactor = Math.Sqrt(1 + (5 / 12.0)), Divisors = [1, 1.5, 2, 3], LongDivisors = [1, 2, 40, 60],
            },
        }));
    }

    [TestCase("{\"type\":\"longrope\"}")]
    [TestCase("{\"type\":\"longrope\",\"short_factor\":[1,2]}")]
    [TestCase("{\"type\":\"longrope\",\"short_factor\":[1,2,3,4,5,6,7,0]}")]
    [TestCase("{\"type\":\"longrope\",\"original_max_position_embeddings\":2048,\"short_factor\":[1,2,3,4,5,6,7,8],\"long_factor\":[1,2]}")]
    public void LongRope_needs_a_divisor_for_each_frequency(string scaling) => Assert.That(
        ModelCheck.FindError(ConfigText.Describe("Phi3ForCausalLM", $"{{\"rope_scaling\":{scaling}}}")), Does.Contain("divisor"));

    [TestCase("StableLmForCausalLM", "{\"partial_rotary_factor\":0.5,\"layer_norm_eps\":1e-6}")]
    [TestCase("StableLMEpochForCausalLM", "{\"rope_pct\":0.5,\"norm_eps\":1e-6}")]
    public void StableLm_is_known_by_both_its_spellings(string architecture, string members)
    {
        var model = ConfigText.Describe(architecture, members);
        Assert.That(model.Layers[0].Attention!.Rotary!.Size, Is.EqualTo(8));
        Assert.That(model.Layers[0].FeedForwardNorm, Is.EqualTo(new NormDescription { Kind = NormKind.Layer, Epsilon = 1e-6f, Bias = true }));
    }

    [TestCase("{}", null)]
    [TestCase("{\"clip_qkv\":null}", null)]
    [TestCase("{\"clip_qkv\":8.0}", 8f)]
    public void Olmo_has_norms_without_weights_and_may_clamp(string members, float? clip)
    {
        var model = ConfigText.Describe("OlmoForCausalLM", members);
        Assert.That(model.Layers.Select(layer => layer.Attention!.Clip), Is.All.EqualTo(clip));
        Assert.That(TensorSchema.Of(model).Select(tensor => tensor.Name), Has.None.Contain("norm"));
    }

    [Test]
    public void Glm4_of_the_second_release_has_sandwich_norms()
    {
        Assert.That(ConfigText.Describe("GlmForCausalLM").Layers[0].AttentionOutputNorm, Is.Null);
        var layer = ConfigText.Describe("Glm4ForCausalLM").Layers[0];
        Assert.That(new[] { layer.AttentionOutputNorm, layer.FeedForwardOutputNorm }, Is.All.EqualTo(layer.AttentionNorm));
        Assert.That((layer.Attention!.InputBias, layer.Attention!.OutputBias), Is.EqualTo((true, false)));
    }

    [TestCase("{\"max_position_embeddings\":2048}", 2048, true, false)]
    [TestCase("{\"model_max_length\":2048}", 2048, false, false)]
    [TestCase("{\"model_max_length\":2048,\"z_loss_weight\":0}", 2048, false, true)]
    [TestCase("{\"model_max_length\":4096,\"max_position_embeddings\":2048,\"z_loss_weight\":0}", 2048, true, true)]
    [TestCase("{\"vocab_size\":125696}", 4096, false, true)]
    public void Baichuans_four_models_are_told_apart_by_their_members(string members, int context, bool rotary, bool normalised)
    {
        var model = ConfigText.Describe("BaichuanForCausalLM", members);
        var attention = model.Layers[0].Attention!;
        Assert.That((model.ContextLength, model.Head.RowScale), Is.EqualTo((context, normalised)));
        Assert.That((attention.Rotary is not null, attention.AlibiSlopes is null), Is.EqualTo((rotary, rotary)));
    }

    [TestCase("{\"rope_scaling\":null}", 2048, null)]
    [TestCase("{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}}", 4096, 2048)]
    [TestCase("{\"rope_scaling\":{\"rope_type\":\"dynamic\",\"factor\":2.0,\"original_max_position_embeddings\":512}}", 2048, 512)]
    public void A_dynamic_base_reaches_as_far_as_its_factor_says(string members, int context, int? original)
    {
        var model = ConfigText.Describe("DeciLMForCausalLM", With(members, "num_key_value_heads_per_layer", new JsonArray(4, 1)));
        Assert.That(model.Layers.Select(layer => layer.Attention!.KeyValueHeads), Is.EqualTo(new[] { 4, 1 }));
        Assert.That(model.ContextLength, Is.EqualTo(context));
        Assert.That(model.Layers[0].Attention!.Rotary!.Scaling, Is.EqualTo(
            original is { } length ? new RotaryScaling { Kind = RotaryScalingKind.Dynamic, Factor = 2, OriginalContextLength = length } : null));
    }

    [TestCase("{\"max_position_embeddings\":2147483647}")]
    [TestCase("{\"max_position_embeddings\":2147483647,\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}}")]
    [TestCase("{\"max_position_embeddings\":2048,\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":1e30}}")]
    public void A_context_without_end_is_the_longest_there_is(string members) => Assert.That(ConfigText.Describe("LlamaForCausalLM", members).ContextLength, Is.EqualTo(int.MaxValue));

    [Test]
    public void Qwens_first_config_spells_as_Gpt2_does()
    {
        var model = ConfigText.DescribeAlone(JsonNode.Parse("""
            {"architectures": ["QWenLMHeadModel"], "vocab_size": 320, "n_embd": 64, "n_layer": 3, "n_head": 2, "ffn_hidden_size": 192, "kv_channels": 32,
             "rotary_pct": 0.5, "seq_length": 2048, "n_positions": 8192, "no_bias": true, "use_dynamic_ntk": true, "use_logn_attn": true}
            """)!.AsObject());
        var layer = model.Layers[2];
        Assert.That((model.HiddenSize, model.Layers.Count, model.ContextLength), Is.EqualTo((64, 3, 8192)));
        Assert.That((layer.Attention!.LogScaleFrom, layer.Attention!.Rotary!.Scaling!.OriginalContextLength), Is.EqualTo((2048, 2048)));
        Assert.That((layer.Attention!.QueryHeads, layer.Attention!.HeadSize, layer.Attention!.Rotary!.Size), Is.EqualTo((2, 32, 16)));
        Assert.That((layer.Attention!.InputBias, layer.Attention!.OutputBias, layer.FeedForward!.Bias), Is.EqualTo((true, false, false)));
        Assert.That(layer.FeedForward!.IntermediateSize, Is.EqualTo(96));
    }

    [Test]
    public void Every_description_makes_sense([Values(
        "Qwen3ForCausalLM", "Gemma2ForCausalLM", "Gemma3ForCausalLM", "Phi3ForCausalLM", "PersimmonForCausalLM", "OlmoForCausalLM", "Olmo2ForCausalLM",
        "CohereForCausalLM", "Glm4ForCausalLM", "BaichuanForCausalLM", "QWenLMHeadModel", "InternLM2ForCausalLM", "DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM")] string architecture) =>
        Assert.That(ModelCheck.FindError(ConfigText.Describe(architecture, "{\"num_key_value_heads\":2}")), Is.Null);

    private static string With(string members, string name, JsonNode value)
    {
        var config = JsonNode.Parse(members)!.AsObject();
        config[name] = value;
        return config.ToJsonString();
    }
}

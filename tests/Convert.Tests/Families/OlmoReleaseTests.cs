using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using static Weft.Convert.Tests.Support.TwoLayouts;

namespace Weft.Convert.Tests.Families;

/// <summary>OLMo in its authors' own layout, whose config has a choice of blocks: each choice is another family's layout, which is proven.</summary>
[TestFixture]
public sealed class OlmoReleaseTests
{
    private const int Hidden = 16;
    private const int Layers = 2;

    private const string Sizes = """
        "architectures": ["OLMoForCausalLM"], "model_type": "hf_olmo", "d_model": 16, "n_heads": 4, "n_layers": 2, "vocab_size": 10, "max_sequence_length": 64
        """;

    private static readonly (string Ported, string Released)[] LlamaNames =
    [
        ("model.embed_tokens", "model.transformer.wte"), ("lm_head", "model.transformer.ff_out"), ("model.norm", "model.transformer.ln_f"), ("model.layers", "model.transformer.blocks"),
        ("self_attn.o_proj", "attn_out"), ("self_attn.q_norm", "q_norm"), ("self_attn.k_norm", "k_norm"), ("post_attention_layernorm", "attn_norm"), ("post_feedforward_layernorm", "ff_norm"),
        ("mlp.down_proj", "ff_out"),
    ];

    [TestCase("low_precision", "\"clip_qkv\": 8.0", "\"clip_qkv\": 8.0")]
    [TestCase("default", "\"clip_qkv\": null, \"rope_theta\": 500000", "\"clip_qkv\": null, \"rope_theta\": 500000.0")]
    public void The_first_is_OLMo_with_fused_matrices_in_which_up_stands_before_gate(string norm, string released, string ported)
    {
        var tensors = Llama(keyValue: Hidden).Where(tensor => !tensor.Name.Contains("norm", StringComparison.Ordinal)).ToList();
        AreAlike(
            $$"""
            {"architectures": ["OlmoForCausalLM"], "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 12, "max_position_embeddings": 64, {{ported}} }
            """,
            tensors,
            $$"""
            { {{Sizes}}, "embedding_size": 12, "mlp_hidden_size": 48, "activation_type": "swiglu", "block_type": "sequential", "rope": true, "alibi": false, "include_bias": false, "weight_tying": false,
             "layer_norm_type": "{{norm}}", "layer_norm_with_affine": false, "bias_for_layer_norm": false, "n_kv_heads": null, "multi_query_attention": false, {{released}} }
            """,
            Fused(tensors));
    }

    [TestCase("\"n_kv_heads\": 2", 8)]
    [TestCase("\"n_kv_heads\": null, \"multi_query_attention\": true", 4)]
    public void With_norms_after_branches_and_of_queries_and_keys_it_is_OLMo_2(string heads, int keyValue)
    {
        var tensors = Llama(keyValue).ToList();
        AreAlike(
            $$"""
            {"architectures": ["Olmo2ForCausalLM"], "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 4, "num_key_value_heads": {{keyValue / 4}}, "num_hidden_layers": 2, "vocab_size": 12,
             "max_position_embeddings": 64, "rms_norm_eps": 1e-6}
            """,
            tensors,
            $$"""
            { {{Sizes}}, "embedding_size": 12, "mlp_ratio": 3, "rope": true, "include_bias": false, "weight_tying": false, "layer_norm_type": "rms", "layer_norm_eps": 1e-6, "norm_after": true,
             "attention_layer_norm": true, {{heads}} }
            """,
            Fused(tensors));
    }

    [Test]
    public void Without_rotation_it_is_GPT_2()
    {
        (string Ported, string Released)[] names =
        [
            ("transformer.h.", "model.transformer.blocks."), ("transformer.w", "model.transformer.w"), ("transformer.ln_f", "model.transformer.ln_f"), ("ln_1", "attn_norm"), ("ln_2", "ff_norm"),
            ("attn.c_attn", "att_proj"), ("attn.c_proj", "attn_out"), ("mlp.c_fc", "ff_proj"), ("mlp.c_proj", "ff_out"),
        ];
        List<TinyTensor> tensors = [Random("transformer.wte.weight", 10, Hidden), Random("transformer.wpe.weight", 64, Hidden), .. Norm("transformer.ln_f", Hidden), .. Blocks("transformer.h.", "ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")];
        AreAlike(
            """{"architectures": ["GPT2LMHeadModel"], "n_embd": 16, "n_head": 4, "n_layer": 2, "vocab_size": 10, "n_positions": 64, "activation_function": "gelu"}""",
            tensors.Select(tensor => tensor.Name.Contains(".h.", StringComparison.Ordinal) ? tensor.Transposed() : tensor),
            $$"""{ {{Sizes}}, "embedding_size": null, "activation_type": "gelu"}""",
            Renamed(tensors, names));
    }

    [Test]
    public void With_slopes_it_is_MPT()
    {
        (string Ported, string Released)[] names =
        [
            ("transformer.", "model.transformer."), ("norm_f", "ln_f"), ("norm_1", "attn_norm"), ("norm_2", "ff_norm"), ("attn.Wqkv", "att_proj"), ("attn.out_proj", "attn_out"), ("ffn.up_proj", "ff_proj"),
            ("ffn.down_proj", "ff_out"),
        ];
        List<TinyTensor> tensors = [Random("transformer.wte.weight", 10, Hidden), .. Norm("transformer.norm_f", Hidden), .. Blocks("transformer.blocks.", "norm_1", "attn.Wqkv", "attn.out_proj", "norm_2", "ffn.up_proj", "ffn.down_proj")];
        AreAlike(
            """{"architectures": ["MPTForCausalLM"], "d_model": 16, "n_heads": 4, "n_layers": 2, "vocab_size": 10, "max_seq_len": 64, "attn_config": {"alibi": true, "alibi_bias_max": 4}}""",
            tensors,
            $$"""{ {{Sizes}}, "embedding_size": 10, "activation_type": "gelu", "alibi": true, "alibi_bias_max": 4.0}""",
            Renamed(tensors, names));
    }

    [TestCase("\"block_type\": \"llama\"", "'block_type' llama")]
    [TestCase("\"block_group_size\": 2", "'block_group_size' other than 1")]
    [TestCase("\"layer_norm_type\": \"rms\"", "'layer_norm_type' rms with a bias")]
    [TestCase("\"layer_norm_type\": \"amd_compatible\"", "'layer_norm_type' amd_compatible")]
    [TestCase("\"embedding_layer_norm\": true", "'embedding_layer_norm' with a table of positions")]
    [TestCase("\"activation_type\": \"mish\"", "'mish'")]
    public void What_no_block_does_is_named(string members, string sentence) =>
        Assert.That(Conversion.Sentence(() => ConfigText.DescribeAlone((JsonObject)JsonNode.Parse($$"""{ {{Sizes}}, {{members}} }""")!)), Does.Contain(sentence));

    /// <summary>OLMo 2's tensors; the first OLMo has those without norms.</summary>
    private static IEnumerable<TinyTensor> Llama(int keyValue)
    {
        yield return Random("model.embed_tokens.weight", 12, Hidden);
        foreach (var prefix in Enumerable.Range(0, Layers).Select(layer => $"model.layers.{layer}."))
        {
            yield return Random(prefix + "self_attn.q_proj.weight", Hidden, Hidden);
            yield return Random(prefix + "self_attn.k_proj.weight", keyValue, Hidden);
            yield return Random(prefix + "self_attn.v_proj.weight", keyValue, Hidden);
            yield return Random(prefix + "self_attn.q_norm.weight", Hidden);
            yield return Random(prefix + "self_attn.k_norm.weight", keyValue);
            yield return Random(prefix + "self_attn.o_proj.weight", Hidden, Hidden);
            yield return Random(prefix + "post_attention_layernorm.weight", Hidden);
            yield return Random(prefix + "mlp.gate_proj.weight", 24, Hidden);
            yield return Random(prefix + "mlp.up_proj.weight", 24, Hidden);
            yield return Random(prefix + "mlp.down_proj.weight", Hidden, 24);
            yield return Random(prefix + "post_feedforward_layernorm.weight", Hidden);
        }

        yield return Random("model.norm.weight", Hidden);
        yield return Random("lm_head.weight", 12, Hidden);
    }

    private static IEnumerable<TinyTensor> Blocks(string blocks, string first, string fused, string output, string second, string up, string down) =>
        Enumerable.Range(0, Layers).Select(layer => $"{blocks}{layer}.").SelectMany(prefix => (IEnumerable<TinyTensor>)
        [
            .. Norm(prefix + first, Hidden), .. Linear(prefix + fused, 3 * Hidden, Hidden), .. Linear(prefix + output, Hidden, Hidden), .. Norm(prefix + second, Hidden),
            .. Linear(prefix + up, 4 * Hidden, Hidden), .. Linear(prefix + down, Hidden, 4 * Hidden),
        ]);

    private static IEnumerable<TinyTensor> Fused(IReadOnlyList<TinyTensor> tensors)
    {
        TinyTensor Part(int layer, string name) => tensors.Single(tensor => tensor.Name == $"model.layers.{layer}.{name}_proj.weight");
        string[] parts = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"];
        foreach (var tensor in Renamed(tensors.Where(tensor => !parts.Any(tensor.Name.Contains)), LlamaNames))
            yield return tensor;
        for (var layer = 0; layer < Layers; layer++)
        {
            var prefix = $"model.transformer.blocks.{layer}.";
            yield return TinyTensor.Joined(prefix + "att_proj.weight", Part(layer, "self_attn.q"), Part(layer, "self_attn.k"), Part(layer, "self_attn.v"));
            yield return TinyTensor.Joined(prefix + "ff_proj.weight", Part(layer, "mlp.up"), Part(layer, "mlp.gate"));
        }
    }
}

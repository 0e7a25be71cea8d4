using System.Globalization;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;
using static Weft.Convert.Tests.Support.TwoLayouts;

namespace Weft.Convert.Tests.Families;

/// <summary>LLaMA's relatives as their authors released them, with code of their own: the packed weights are those of a layout that is proven, or what they give is.</summary>
[TestFixture]
public sealed class FirstLlamaReleaseTests
{
    private const int Hidden = 16;
    private const int Inner = 24;
    private const int Vocabulary = 12;
    private const int Layers = 2;

    private const string Sizes = "\"hidden_size\": 16, \"intermediate_size\": 24, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"num_hidden_layers\": 2, \"vocab_size\": 12";

    [Test]
    public void DeepSeekMoE_is_Mixtral_where_every_layer_has_experts_and_none_is_shared()
    {
        const string Layer = "model.layers.#.mlp.";
        List<TinyTensor> ported = [.. Decoder(feedForward: false), .. Experts(Layer + "gate", Layer + "experts.*.{0}_proj")];
        (string, string)[] names = [("mlp.", "block_sparse_moe."), ("gate_proj", "w1"), ("up_proj", "w3"), ("down_proj", "w2")];
        AreAlike(
            $$"""{"architectures": ["MixtralForCausalLM"], {{Sizes}}, "rms_norm_eps": 1e-6, "rope_theta": 10000, "max_position_embeddings": 64, "num_local_experts": 4, "num_experts_per_tok": 2}""",
            Renamed(ported, names),
            $$"""
            {"architectures": ["DeepseekForCausalLM"], {{Sizes}}, "moe_intermediate_size": 24, "max_position_embeddings": 64, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": null,
             "norm_topk_prob": true, "moe_layer_freq": 1, "first_k_dense_replace": 0, "scoring_func": "softmax"}
            """,
            ported);
    }

    [Test]
    public void DeepSeekMoE_computes_what_Qwens_mixtures_do_whose_shared_expert_is_always_half_on()
    {
        const string Layer = "model.layers.#.mlp.";
        List<TinyTensor> common =
        [
            .. Decoder(feedForward: false), .. Gated("model.layers.0.mlp.{0}_proj", Inner),
            .. Experts(Layer + "gate", Layer + "experts.*.{0}_proj", size: 8).Where(tensor => !tensor.Name.StartsWith("model.layers.0.", StringComparison.Ordinal)),
        ];
        var shared = Gated("model.layers.1.mlp.shared_experts.{0}_proj", 16).ToList();
        using var scratch = new ScratchFolder();
        using var qwen = Written(scratch["qwen"], (JsonObject)JsonNode.Parse($$"""
            {"architectures": ["Qwen2MoeForCausalLM"], {{Sizes}}, "rms_norm_eps": 1e-6, "qkv_bias": false, "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": false,
             "moe_intermediate_size": 8, "shared_expert_intermediate_size": 16, "mlp_only_layers": [0]}
            """)!, [
            .. common, TinyTensor.Of("model.layers.1.mlp.shared_expert_gate.weight", [1, Hidden], () => 0),
            .. shared.Select(tensor => (tensor.Name.Contains("down", StringComparison.Ordinal) ? Doubled(tensor) : tensor) with { Name = tensor.Name.Replace("experts", "expert", StringComparison.Ordinal) }),
        ]);
        using var deepSeek = Written(scratch["deepseek"], (JsonObject)JsonNode.Parse($$"""
            {"architectures": ["DeepseekForCausalLM"], "model_type": "deepseek", {{Sizes}}, "rms_norm_eps": 1e-6, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 2,
             "moe_intermediate_size": 8, "norm_topk_prob": false, "first_k_dense_replace": 1, "moe_layer_freq": 1, "scoring_func": "softmax", "aux_loss_alpha": 0.001, "seq_aux": true}
            """)!, [.. common, .. shared]);
        Assert.That(ErrorMeasure.RelativeRms(Logits(scratch["deepseek.weft"]), Array.ConvertAll(Logits(scratch["qwen.weft"]), x => (double)x)), Is.LessThan(1e-6));
    }

    [TestCase("\"scoring_func\": \"sigmoid\"", "'scoring_func' must be softmax")]
    [TestCase("\"n_routed_experts\": 4", "'num_experts_per_tok' is missing")]
    public void What_DeepSeekMoE_does_not_ask_for_is_refused(string members, string sentence) => Assert.That(
        Conversion.Sentence(() => ConfigText.DescribeAlone((JsonObject)JsonNode.Parse($$"""{"architectures": ["DeepseekForCausalLM"], {{Sizes}}, {{members}} }""")!)), Does.Contain(sentence));

    [Test]
    public void Exaone_is_Llama_under_other_names()
    {
        const string Rope = "\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"original_max_position_embeddings\": 32, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0}";
        (string, string)[] names =
        [
            ("model.layers", "transformer.h"), ("model.embed_tokens", "transformer.wte"), ("model.norm", "transformer.ln_f"), ("input_layernorm", "ln_1"), ("post_attention_layernorm", "ln_2"),
            ("self_attn.o_proj", "attn.attention.out_proj"), ("self_attn", "attn.attention"), ("gate_proj", "c_fc_0"), ("up_proj", "c_fc_1"), ("down_proj", "c_proj"),
        ];
        AreAlike(
            $$"""{"architectures": ["LlamaForCausalLM"], {{Sizes}}, "rms_norm_eps": 1e-5, "max_position_embeddings": 64, {{Rope}} }""",
            Decoder(),
            $$"""
            {"architectures": ["ExaoneForCausalLM"], "model_type": "exaone", {{Sizes.Replace("num_hidden_layers", "num_layers", StringComparison.Ordinal)}}, "layer_norm_epsilon": 1e-5,
             "activation_function": "silu", "max_position_embeddings": 64, {{Rope}} }
            """,
            Renamed(Decoder(), names));
    }

    [TestCase("\"rope_theta\": 80000.0", "\"rope_theta\": 10000.0, \"rope_scaling\": {\"type\": \"ntk\", \"factor\": 8.0}")]
    [TestCase("\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}")]
    public void Skywork_is_Llama_whose_base_may_have_a_factor(string ported, string released) => AreAlike(
        $$"""{"architectures": ["LlamaForCausalLM"], {{Sizes}}, "max_position_embeddings": 64, {{ported}} }""",
        Decoder(),
        $$"""{"architectures": ["SkyworkForCausalLM"], "model_type": "skywork", {{Sizes}}, "max_position_embeddings": 64, {{released}} }""",
        Decoder());

    [Test]
    public void Orion_is_StableLM_whose_heads_turn_whole()
    {
        var tensors = Decoder().SelectMany(tensor => (IEnumerable<TinyTensor>)(tensor.Shape.Length == 1 ? Norm(tensor.Name[..^".weight".Length], Hidden) : [tensor])).ToList();
        AreAlike(
            $$"""{"architectures": ["StableLmForCausalLM"], {{Sizes}}, "max_position_embeddings": 64, "partial_rotary_factor": 1.0, "layer_norm_eps": 1e-4}""",
            tensors,
            $$"""{"architectures": ["OrionForCausalLM"], "model_type": "orion", {{Sizes}}, "max_position_embeddings": 64, "rms_norm_eps": 1e-4}""",
            tensors);
    }

    [TestCase("\"scale_depth\": 1.4, \"scale_emb\": 12, \"dim_model_base\": 4", 1.4, 12, 4)]
    [TestCase("\"dim_model_base\": 32", 1, 1, 32)]
    public void MiniCpm_is_Granite_with_other_words_for_its_factors(string members, double depth, double embedding, double width)
    {
        var tensors = Decoder().Where(tensor => tensor.Name != "lm_head.weight").ToList();
        AreAlike(Granite("GraniteForCausalLM", depth, embedding, width), tensors, MiniCpm(members), [.. tensors, tensors[0] with { Name = "lm_head.weight" }]);
    }

    [Test]
    public void MiniCpms_mixture_is_Granites()
    {
        var tensors = Decoder(feedForward: false).Where(tensor => tensor.Name != "lm_head.weight").ToList();
        const string Layer = "model.layers.#.mlp.";
        List<TinyTensor> experts = [.. Experts(Layer + "gate", Layer + "experts.*.{0}_proj")];
        List<TinyTensor> ported = [.. tensors];
        for (var layer = 0; layer < Layers; layer++)
        {
            var (released, prefix) = ($"model.layers.{layer}.mlp.", $"model.layers.{layer}.block_sparse_moe.");
            TinyTensor Of(int expert, string name) => experts.Single(tensor => tensor.Name == $"{released}experts.{expert}.{name}_proj.weight");
            ported.AddRange(
            [
                experts.Single(tensor => tensor.Name == released + "gate.weight") with { Name = prefix + "router.layer.weight" },
                TinyTensor.Joined(prefix + "input_linear.weight", [.. Enumerable.Range(0, 4).SelectMany(expert => new[] { Of(expert, "gate"), Of(expert, "up") })]) with { Shape = [4, 2 * Inner, Hidden] },
                TinyTensor.Joined(prefix + "output_linear.weight", [.. Enumerable.Range(0, 4).Select(expert => Of(expert, "down"))]) with { Shape = [4, Hidden, Inner] },
            ]);
        }

        AreAlike(
            Granite("GraniteMoeForCausalLM", 1.4, 12, 4, ", \"num_local_experts\": 4, \"num_experts_per_tok\": 2"), ported,
            MiniCpm("\"scale_depth\": 1.4, \"scale_emb\": 12, \"dim_model_base\": 4, \"num_experts\": 4, \"num_experts_per_tok\": 2"),
            [.. tensors, .. Renamed(experts, ("gate_proj", "w1"), ("up_proj", "w3"), ("down_proj", "w2"))]);
    }

    [TestCase("\"sparse_config\": {\"dense_len\": 8192}", "'sparse_config'")]
    [TestCase("\"scale_depth\": 0", "'scale_depth' must be positive")]
    public void What_no_block_of_MiniCpm_does_is_named(string members, string sentence) =>
        Assert.That(Conversion.Sentence(() => ConfigText.DescribeAlone((JsonObject)JsonNode.Parse(MiniCpm(members))!)), Does.Contain(sentence));

    [Test]
    public void OpenElm_is_Qwen_3_with_fused_matrices_where_its_layers_are_alike()
    {
        List<TinyTensor> tensors = [.. Decoder().Where(tensor => tensor.Name != "lm_head.weight")];
        foreach (var prefix in Enumerable.Range(0, Layers).Select(layer => $"model.layers.{layer}.self_attn."))
            tensors.AddRange([Random(prefix + "q_norm.weight", 4), Random(prefix + "k_norm.weight", 4)]);
        AreAlike(
            $$"""{"architectures": ["Qwen3ForCausalLM"], {{Sizes}}, "head_dim": 4, "max_position_embeddings": 64, "tie_word_embeddings": true}""",
            tensors,
            """
            {"architectures": ["OpenELMForCausalLM"], "model_type": "openelm", "model_dim": 16, "head_dim": 4, "num_transformer_layers": 2, "num_query_heads": [4, 4], "num_kv_heads": [2, 2],
             "ffn_multipliers": [1.5, 1.5], "ffn_dim_divisor": 8, "ffn_with_glu": true, "activation_fn_name": "swish", "normalization_layer_name": "rms_norm", "normalize_qk_projections": true,
             "share_input_output_layers": true, "rope_freq_constant": 10000, "rope_max_length": 128, "max_context_length": 64, "vocab_size": 12}
            """,
            FusedElm(tensors));
    }

    [Test]
    public void OpenElms_layers_have_as_many_heads_as_the_config_lists()
    {
        List<TinyTensor> tensors = [.. Decoder().Where(tensor => tensor.Name != "lm_head.weight").Select(tensor => tensor.Name.StartsWith("model.layers.1.self_attn.k", StringComparison.Ordinal)
            || tensor.Name.StartsWith("model.layers.1.self_attn.v", StringComparison.Ordinal) ? tensor.Part(tensor.Name, 0, 4) : tensor)];
        AreAlike(
            $$"""
            {"architectures": ["DeciLMForCausalLM"], {{Sizes}}, "num_key_value_heads_per_layer": [2, 1], "rms_norm_eps": 1e-6, "max_position_embeddings": 64, "tie_word_embeddings": true}
            """,
            tensors,
            """
            {"architectures": ["OpenELMForCausalLM"], "model_dim": 16, "head_dim": 4, "num_transformer_layers": 2, "num_query_heads": [4, 4], "num_kv_heads": [2, 1], "ffn_multipliers": [1.5, 1.5],
             "ffn_dim_divisor": 8, "normalize_qk_projections": false, "max_context_length": 64, "vocab_size": 12}
            """,
            FusedElm(tensors));
    }

    [Test]
    public void OpenElms_layers_become_wider()
    {
        // Those of the smallest one that is released, and a width that would be more than a tenth too small.
        var model = ConfigText.Describe("OpenELMForCausalLM", """
            {"model_dim": 1280, "head_dim": 64, "num_transformer_layers": 4, "num_query_heads": [12, 12, 16, 20], "num_kv_heads": [3, 3, 4, 5], "ffn_multipliers": [0.5, 0.73, 4.0, 0.28]}
            """);
        Assert.That(model.Layers.Select(layer => layer.FeedForward!.IntermediateSize), Is.EqualTo(new[] { 768, 1024, 5120, 512 }));
        Assert.That(model.Layers.Select(layer => (layer.Attention!.QueryHeads, layer.Attention.KeyValueHeads)), Is.EqualTo(new[] { (12, 3), (12, 3), (16, 4), (20, 5) }));
        Assert.That(Conversion.Sentence(() => ConfigText.Describe("OpenELMForCausalLM", """{"model_dim": 1280, "num_transformer_layers": 2, "num_query_heads": [12]}""")), Does.Contain("'num_query_heads' has 1 entries, but there are 2 layers"));
    }

    private static string Granite(string architecture, double depth, double embedding, double width, string members = "") => $$"""
        {"architectures": ["{{architecture}}"], {{Sizes}}, "residual_multiplier": {{Text(depth / Math.Sqrt(Layers))}}, "embedding_multiplier": {{Text(embedding)}}, "attention_multiplier": 0.5,
         "logits_scaling": {{Text(Hidden / width)}}, "rms_norm_eps": 1e-5, "max_position_embeddings": 64, "tie_word_embeddings": true{{members}} }
        """;

    private static string MiniCpm(string members) =>
        $$"""{"architectures": ["MiniCPMForCausalLM"], "model_type": "minicpm", {{Sizes}}, "rms_norm_eps": 1e-5, "max_position_embeddings": 64, {{members}} }""";

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>LLaMA's tensors under OpenELM's names.</summary>
    private static IEnumerable<TinyTensor> FusedElm(IReadOnlyList<TinyTensor> tensors)
    {
        (string, string)[] names =
        [
            ("model.layers", "transformer.layers"), ("model.embed_tokens", "transformer.token_embeddings"), ("model.norm", "transformer.norm"), ("input_layernorm", "attn_norm"),
            ("post_attention_layernorm", "ffn_norm"), ("self_attn.o_proj", "attn.out_proj"), ("self_attn", "attn"), ("mlp.down_proj", "ffn.proj_2"),
        ];
        string[] parts = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"];
        foreach (var tensor in Renamed(tensors.Where(tensor => !parts.Any(tensor.Name.Contains)), names))
            yield return tensor;
        for (var layer = 0; layer < Layers; layer++)
        {
            TinyTensor Part(string name) => tensors.Single(tensor => tensor.Name == $"model.layers.{layer}.{name}_proj.weight");
            yield return TinyTensor.Joined($"transformer.layers.{layer}.attn.qkv_proj.weight", Part("self_attn.q"), Part("self_attn.k"), Part("self_attn.v"));
            yield return TinyTensor.Joined($"transformer.layers.{layer}.ffn.proj_1.weight", Part("mlp.gate"), Part("mlp.up"));
        }
    }

    /// <summary>LLaMA's tensors.</summary>
    private static IEnumerable<TinyTensor> Decoder(bool feedForward = true)
    {
        yield return Random("model.embed_tokens.weight", Vocabulary, Hidden);
        for (var layer = 0; layer < Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            yield return Random(prefix + "input_layernorm.weight", Hidden);
            yield return Random(prefix + "self_attn.q_proj.weight", Hidden, Hidden);
            yield return Random(prefix + "self_attn.k_proj.weight", Hidden / 2, Hidden);
            yield return Random(prefix + "self_attn.v_proj.weight", Hidden / 2, Hidden);
            yield return Random(prefix + "self_attn.o_proj.weight", Hidden, Hidden);
            yield return Random(prefix + "post_attention_layernorm.weight", Hidden);
            foreach (var tensor in feedForward ? Gated(prefix + "mlp.{0}_proj", Inner) : [])
                yield return tensor;
        }

        yield return Random("model.norm.weight", Hidden);
        yield return Random("lm_head.weight", Vocabulary, Hidden);
    }

    /// <summary>A feed-forward block's matrices.</summary>
    private static IEnumerable<TinyTensor> Gated(string module, int size) =>
    [
        Random(module.Replace("{0}", "gate", StringComparison.Ordinal) + ".weight", size, Hidden), Random(module.Replace("{0}", "up", StringComparison.Ordinal) + ".weight", size, Hidden),
        Random(module.Replace("{0}", "down", StringComparison.Ordinal) + ".weight", Hidden, size),
    ];

    /// <summary>A router and four experts in each layer.</summary>
    private static IEnumerable<TinyTensor> Experts(string router, string module, int size = Inner)
    {
        for (var layer = 0; layer < Layers; layer++)
        {
            string Of(string name) => name.Replace("#", $"{layer}", StringComparison.Ordinal);
            yield return Random(Of(router) + ".weight", 4, Hidden);
            foreach (var tensor in Enumerable.Range(0, 4).SelectMany(expert => Gated(Of(module).Replace("*", $"{expert}", StringComparison.Ordinal), size)))
                yield return tensor;
        }
    }

    /// <summary>Twice the numbers of a tensor of bf16, none of which is 0.</summary>
    private static TinyTensor Doubled(TinyTensor tensor) => tensor with { Bytes = [.. tensor.Bytes.Chunk(2).SelectMany(pair => BitConverter.GetBytes((ushort)(BitConverter.ToUInt16(pair) + 0x80)))] };

    private static float[] Logits(string path)
    {
        int[] tokens = [3, 7, 1, 9, 9, 4, 11, 0, 2];
        using var model = Model.Load(path, new() { CacheType = DataType.Float32 });
        using var sequence = model.CreateSequence();
        var logits = new float[tokens.Length * Vocabulary];
        sequence.Forward(tokens, LogitRows.All, logits);
        return logits;
    }
}

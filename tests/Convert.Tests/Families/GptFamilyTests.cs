using System.Text.Json.Nodes;
using Weft.Convert.Families;
using Weft.Convert.Tests.Support;
using Weft.Models;

namespace Weft.Convert.Tests.Families;

/// <summary>Configs and layouts of the GPT lineage and the ALiBi models that no reference checkpoint has.</summary>
[TestFixture]
public sealed class GptFamilyTests
{
    private const string NeoX = "\"architectures\": [\"GPTNeoXForCausalLM\"], \"vocab_size\": 32, \"hidden_size\": 64, \"intermediate_size\": 96, \"num_attention_heads\": 2, \"num_hidden_layers\": 2";
    private const string J = "\"architectures\": [\"GPTJForCausalLM\"], \"vocab_size\": 32, \"n_embd\": 256, \"n_head\": 2, \"n_layer\": 2";
    private const string Neo = "\"architectures\": [\"GPTNeoForCausalLM\"], \"vocab_size\": 32, \"hidden_size\": 64, \"num_heads\": 2, \"num_layers\": 3";
    private const string Falcon = "\"architectures\": [\"FalconForCausalLM\"], \"vocab_size\": 32, \"hidden_size\": 128, \"num_attention_heads\": 4, \"num_hidden_layers\": 2";
    private const string Mpt = "\"architectures\": [\"MPTForCausalLM\"], \"vocab_size\": 32, \"d_model\": 64, \"n_heads\": 4, \"n_layers\": 2";
    private const string Opt = "\"architectures\": [\"OPTForCausalLM\"], \"vocab_size\": 32, \"hidden_size\": 64, \"ffn_dim\": 96, \"num_attention_heads\": 2, \"num_hidden_layers\": 2";

    [Test]
    public void GptNeoX_takes_what_is_missing_from_its_own_defaults()
    {
        var model = Describe(NeoX);
        var layer = model.Layers[1];
        Assert.That((layer.Parallel, layer.Attention!.InputBias, layer.Attention!.OutputBias, layer.FeedForward!.Activation), Is.EqualTo((true, true, true, Activation.Gelu)));
        Assert.That(layer.Attention!.Rotary, Is.EqualTo(new RotaryDescription { Size = 8, Theta = 10000 }));
        Assert.That(layer.FeedForwardNorm, Is.EqualTo(new NormDescription { Kind = NormKind.Layer, Epsilon = 1e-5f, Bias = true }));
        Assert.That((model.ContextLength, model.Head.Tied), Is.EqualTo((2048, false)));
    }

    [TestCase("\"rotary_pct\": 1.0, \"rotary_emb_base\": 5000", 32, 5000)]
    [TestCase("\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 5000, \"partial_rotary_factor\": 0.5}", 16, 5000)]
    [TestCase("\"rope_theta\": 5000, \"partial_rotary_factor\": 0.5", 16, 5000)]
    public void GptNeoX_spells_the_part_that_turns_in_several_ways(string members, int size, double theta) =>
        Assert.That(Describe(NeoX, members).Layers[0].Attention!.Rotary, Is.EqualTo(new RotaryDescription { Size = size, Theta = theta }));

    [Test]
    public void GptNeoX_may_have_branches_one_after_the_other_and_no_biases()
    {
        var layer = Describe(NeoX, "\"use_parallel_residual\": false, \"attention_bias\": false").Layers[0];
        Assert.That((layer.Parallel, layer.Attention!.InputBias, layer.Attention!.OutputBias, layer.FeedForward!.Bias), Is.EqualTo((false, false, false, true)));
    }

    [Test]
    public void GptJ_takes_what_is_missing_from_its_own_defaults()
    {
        var model = Describe(J);
        Assert.That((model.ContextLength, model.Head.Tied, model.Head.Bias), Is.EqualTo((2048, false, true)));
        Assert.That((model.Layers[0].Attention!.Rotary!.Size, model.Layers[0].FeedForward!.IntermediateSize), Is.EqualTo((64, 1024)));
    }

    [TestCase("\"attention_types\": [[[\"global\", \"local\"], 1], [[\"local\"], 1]]", null, 256, 256)]
    [TestCase("\"attention_layers\": [\"local\", \"global\", \"local\"], \"window_size\": 8", 8, null, 8)]
    [TestCase("\"window_size\": 8", null, 8, null)]
    public void GptNeo_has_windows_in_its_local_layers(string members, int? first, int? second, int? third) =>
        Assert.That(Describe(Neo, members).Layers.Select(layer => layer.Attention!.Window), Is.EqualTo(new[] { first, second, third }));

    [TestCase("\"multi_query\": false", 4, true, true)]
    [TestCase("\"multi_query\": true", 1, true, true)]
    [TestCase("\"new_decoder_architecture\": true, \"num_kv_heads\": 2", 2, true, false)]
    [TestCase("\"new_decoder_architecture\": true, \"num_kv_heads\": 2, \"num_ln_in_parallel_attn\": 1", 2, true, true)]
    [TestCase("\"model_type\": \"RefinedWeb\", \"n_head_kv\": 2", 2, true, false)]
    [TestCase("\"parallel_attn\": false", 1, false, false)]
    public void Falcon_has_three_generations(string members, int keyValueHeads, bool isParallel, bool sharesNorm)
    {
        var layer = Describe(Falcon, members).Layers[0];
        Assert.That((layer.Attention!.KeyValueHeads, layer.Parallel, layer.FeedForwardNorm is null), Is.EqualTo((keyValueHeads, isParallel, sharesNorm)));
    }

    [Test]
    public void Falcon_scales_its_slopes_with_the_scores()
    {
        var attention = Describe(Falcon, "\"alibi\": true").Layers[0].Attention!;
        Assert.That(attention.Rotary, Is.Null);
        Assert.That(attention.AlibiSlopes, Is.EqualTo(new[] { 0.25, 0.0625, 0.015625, 0.00390625 }.Select(slope => slope / Math.Sqrt(32))).Within(1e-9));
    }

    [Test]
    public void Mpt_in_its_authors_words_keeps_every_option()
    {
        var model = Describe(Mpt, "\"no_bias\": true, \"expansion_ratio\": 2, \"logit_scale\": \"inv_sqrt_d_model\", \"attn_config\": {\"alibi\": true, "
            + "\"alibi_bias_max\": 16, \"clip_qkv\": 6, \"softmax_scale\": 0.5, \"attn_type\": \"grouped_query_attention\", \"kv_n_heads\": 2}");
        var attention = model.Layers[0].Attention!;
        Assert.That((attention.KeyValueHeads, attention.Scale, attention.Clip, attention.InputBias), Is.EqualTo((2, 0.5f, 6f, false)));
        Assert.That(attention.AlibiSlopes, Is.EqualTo(new[] { 1f / 16, 1f / 256, 1f / 4096, 1f / 65536 }));
        Assert.That((model.Layers[0].FeedForward!.IntermediateSize, model.Head.Scale, model.Embedding), Is.EqualTo((128, 0.125f, (EmbeddingDescription?)null)));
    }

    [Test]
    public void Mpt_finds_its_tensors_with_every_option()
    {
        (string Name, int[] Shape)[] block =
        [
            ("norm_1", [8]), ("attn.Wqkv", [16, 8]), ("attn.q_ln", [8]), ("attn.k_ln", [4]), ("attn.out_proj", [8, 8]), ("norm_2", [8]),
            ("ffn.up_proj", [32, 8]), ("ffn.down_proj", [8, 32]),
        ];
        (string Name, int[] Shape)[] weights = [("wte", [10, 8]), ("wpe", [64, 8]), .. block.Select(part => ("blocks.0." + part.Name, part.Shape)), ("norm_f", [8])];
        var biases = weights.Where(part => !part.Name.StartsWith('w')).Select(part => (part.Name + ".bias", new[] { part.Shape[0] }));
        var header = Convert(
            "\"architectures\": [\"MPTForCausalLM\"], \"vocab_size\": 10, \"d_model\": 8, \"n_heads\": 2, \"n_layers\": 1, \"max_seq_len\": 64,"
            + "\"attn_config\": {\"qk_ln\": true, \"attn_type\": \"multiquery_attention\"}",
            [.. weights.Select(part => (part.Name + ".weight", part.Shape)), .. biases]);
        Assert.That(header.Model.Layers[0].Attention!.QueryKeyNorm?.AcrossHeads, Is.True);
        Assert.That(header.Tensors.Select(tensor => tensor.Name), Does.Contain("positions.weight").And.Contain("layers.0.attention.key_norm.bias"));
    }

    [Test]
    public void Phi_repeats_the_norm_of_a_head_for_all_of_them()
    {
        (string Name, int[] Shape)[] modules =
        [
            ("model.embed_tokens", [10, 8]), ("model.layers.0.input_layernorm", [8]), ("model.layers.0.self_attn.q_proj", [8, 8]),
            ("model.layers.0.self_attn.k_proj", [4, 8]), ("model.layers.0.self_attn.v_proj", [4, 8]), ("model.layers.0.self_attn.q_layernorm", [4]),
            ("model.layers.0.self_attn.k_layernorm", [4]), ("model.layers.0.self_attn.dense", [8, 8]), ("model.layers.0.mlp.fc1", [12, 8]),
            ("model.layers.0.mlp.fc2", [8, 12]), ("model.final_layernorm", [8]), ("lm_head", [10, 8]),
        ];
        var header = Convert(
            "\"architectures\": [\"PhiForCausalLM\"], \"vocab_size\": 10, \"hidden_size\": 8, \"intermediate_size\": 12, \"num_attention_heads\": 2,"
            + "\"num_key_value_heads\": 1, \"num_hidden_layers\": 1, \"qk_layernorm\": true",
            [.. modules.Select(part => (part.Name + ".weight", part.Shape)), .. modules.Skip(1).Select(part => (part.Name + ".bias", new[] { part.Shape[0] }))]);
        Assert.That(header.Tensors.Single(tensor => tensor.Name == "layers.0.attention.query_norm.weight").Shape, Is.EqualTo(new[] { 8 }));
    }

    [TestCase("", true)]
    [TestCase("\"_remove_final_layer_norm\": true", false)]
    [TestCase("\"do_layer_norm_before\": false", false)]
    public void Opt_may_end_without_a_norm(string members, bool hasFinalNorm) => Assert.That(Describe(Opt, members).FinalNorm is not null, Is.EqualTo(hasFinalNorm));

    [TestCase(J, "\"rotary_dim\": null", "'rotary_dim'")]
    [TestCase(Neo, "\"attention_types\": [[[\"global\"], 2]]", "'attention_types' describe 2 layers, but there are 3")]
    [TestCase(Neo, "\"attention_types\": [[\"global\", 3]]", "'attention_types' must be")]
    [TestCase(Neo, "\"attention_layers\": [\"global\", \"sparse\", \"local\"]", "'sparse'")]
    [TestCase(NeoX, "\"rope_scaling\": {\"type\": \"spiral\", \"factor\": 2}", "'spiral'")]
    [TestCase(Falcon, "\"new_decoder_architecture\": true, \"parallel_attn\": false", "'parallel_attn'")]
    [TestCase(Falcon, "\"num_ln_in_parallel_attn\": 2", "'num_ln_in_parallel_attn' 2")]
    [TestCase(Mpt, "\"attn_config\": {\"prefix_lm\": true}", "'prefix_lm'")]
    [TestCase(Mpt, "\"attn_config\": {\"rope\": true}", "'rope'")]
    [TestCase(Mpt, "\"attn_config\": {\"sliding_window_size\": 8}", "'attn_config.sliding_window_size'")]
    [TestCase(Mpt, "\"attn_config\": {\"attn_type\": \"linear\"}", "'attn_config.attn_type' linear")]
    [TestCase(Mpt, "\"ffn_config\": {\"ffn_type\": \"mptglu\"}", "'ffn_config'")]
    [TestCase(Mpt, "\"norm_type\": \"batchnorm\"", "'norm_type' batchnorm")]
    [TestCase(Mpt, "\"logit_scale\": \"loud\"", "'logit_scale' loud")]
    public void What_the_blocks_cannot_express_is_named(string config, string members, string named) =>
        Assert.That(Conversion.Sentence(() => Describe(config, members)), Does.Contain("config.json: ").And.Contain(named));

    [TestCase("GPT2LMHeadModel", "add_cross_attention")]
    [TestCase("GPTBigCodeForCausalLM", "add_cross_attention")]
    [TestCase("XGLMForCausalLM", "add_cross_attention")]
    [TestCase("RWForCausalLM", "apply_residual_connection_post_layernorm")]
    public void An_option_that_must_be_off_is_named(string architecture, string member) =>
        Assert.That(Conversion.Sentence(() => Describe($"\"architectures\": [\"{architecture}\"]", $"\"{member}\": true")), Does.Contain($"'{member}' is not supported"));

    private static ModelDescription Describe(string config, string members = "")
    {
        using var scratch = new ScratchFolder();
        var path = scratch["config.json"];
        File.WriteAllText(path, $"{{{config}{(members.Length > 0 ? ", " : "")}{members}}}");
        var file = ConfigFile.Open(path);
        var model = FamilyCatalog.Find(file).Family.Describe(file);
        Assert.That(ModelCheck.FindError(model), Is.Null);
        return model;
    }

    private static Weights.WeftHeader Convert(string config, IReadOnlyList<(string Name, int[] Shape)> tensors) => Conversion.Header(Checkpoint(config, tensors));

    private static TinyCheckpoint Checkpoint(string config, IReadOnlyList<(string Name, int[] Shape)> tensors)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config.Clear();
        foreach (var (name, value) in JsonNode.Parse($"{{{config}}}")!.AsObject())
            checkpoint.Config[name] = value?.DeepClone();
        checkpoint.Tensors.Clear();
        checkpoint.Tensors.AddRange(tensors.Select((tensor, i) => TinyTensor.Random(tensor.Name, tensor.Shape, i)));
        return checkpoint;
    }
}

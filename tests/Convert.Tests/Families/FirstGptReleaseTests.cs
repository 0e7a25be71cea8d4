using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using static Weft.Convert.Tests.Support.TwoLayouts;

namespace Weft.Convert.Tests.Families;

/// <summary>GPT-2's descendants as their authors released them, with code of their own: the packed weights are those of transformers' layout.</summary>
[TestFixture]
public sealed class FirstGptReleaseTests
{
    private const int Hidden = 16;
    private const int Heads = 4;
    private const int Size = Hidden / Heads;
    private const int Vocabulary = 10;

    [Test]
    public void SantaCoder_has_a_matrix_for_queries_and_one_for_the_key_and_the_value()
    {
        const string Sizes = "\"n_embd\": 16, \"n_head\": 4, \"n_layer\": 2, \"n_inner\": 24, \"n_positions\": 32, \"vocab_size\": 10, \"activation_function\": \"gelu_pytorch_tanh\"";
        List<TinyTensor> ported = [Random("transformer.wte.weight", Vocabulary, Hidden), Random("transformer.wpe.weight", 32, Hidden), .. Norm("transformer.ln_f", Hidden)];
        for (var layer = 0; layer < 2; layer++)
        {
            var prefix = $"transformer.h.{layer}.";
            ported.AddRange(
            [
                .. Norm(prefix + "ln_1", Hidden), .. Linear(prefix + "attn.c_attn", Hidden + (2 * Size), Hidden), .. Linear(prefix + "attn.c_proj", Hidden, Hidden),
                .. Norm(prefix + "ln_2", Hidden), .. Linear(prefix + "mlp.c_fc", 24, Hidden), .. Linear(prefix + "mlp.c_proj", Hidden, 24),
            ]);
        }

        IEnumerable<TinyTensor> Released(TinyTensor tensor) => tensor.Name.Contains("c_attn", StringComparison.Ordinal)
            ?
            [
                tensor.Part(tensor.Name.Replace("c_attn", "q_attn", StringComparison.Ordinal), 0, Hidden).Transposed(),
                tensor.Part(tensor.Name.Replace("c_attn", "kv_attn", StringComparison.Ordinal), Hidden, 2 * Size).Transposed(),
            ]
            : [tensor.Name.Contains(".h.", StringComparison.Ordinal) ? tensor.Transposed() : tensor];

        AreAlike(
            $$"""{"architectures": ["GPTBigCodeForCausalLM"], {{Sizes}} }""",
            ported,
            $$"""{"architectures": ["GPT2LMHeadCustomModel"], "model_type": "gpt2", "attention_head_type": "multiquery", {{Sizes}} }""",
            // The release stores the tied head and masks as well.
            [.. ported.SelectMany(Released), ported[0] with { Name = "lm_head.weight" }, Random("transformer.h.0.attn.bias", 1, 1, 4, 4), Random("transformer.h.0.attn.masked_bias", 1)]);
    }

    [Test]
    public void SantaCoders_class_with_heads_of_their_own_is_refused() => Assert.That(
        Conversion.Sentence(() => ConfigText.DescribeAlone((JsonObject)JsonNode.Parse("""{"architectures": ["GPT2LMHeadCustomModel"], "attention_head_type": "multihead"}""")!)),
        Does.Contain("'attention_head_type' multihead"));

    [TestCase("\"model_type\": \"mixformer-sequential\", \"architecture\": {\"block_cls\": \"parallel\", \"mixer\": {}, \"mlp\": {\"mlp_cls\": \"mlp\"}}", "MixFormerSequentialForCausalLM")]
    [TestCase("\"model_type\": \"phi-msft\", \"n_head_kv\": null, \"flash_attn\": false", "PhiForCausalLM")]
    public void Phis_first_layouts_have_one_matrix_for_queries_keys_and_values(string members, string architecture)
    {
        const int Inner = 4 * Hidden;
        List<TinyTensor> ported = [Random("model.embed_tokens.weight", Vocabulary, Hidden), .. Norm("model.final_layernorm", Hidden), .. Linear("lm_head", Vocabulary, Hidden)];
        foreach (var prefix in Enumerable.Range(0, 3).Select(layer => $"model.layers.{layer}."))
        {
            ported.AddRange([.. Norm(prefix + "input_layernorm", Hidden), .. Linear(prefix + "mlp.fc1", Inner, Hidden), .. Linear(prefix + "mlp.fc2", Hidden, Inner)]);
            foreach (var name in new[] { "q_proj", "k_proj", "v_proj", "dense" })
                ported.AddRange(Linear($"{prefix}self_attn.{name}", Hidden, Hidden));
        }

        var isFirst = architecture != "PhiForCausalLM";
        List<TinyTensor> released = [.. ported.Where(tensor => !tensor.Name.Contains("_proj.", StringComparison.Ordinal)).Select(tensor => tensor with { Name = InRelease(tensor.Name, isFirst) })];
        foreach (var layer in Enumerable.Range(0, 3))
        {
            foreach (var kind in new[] { "weight", "bias" })
            {
                TinyTensor Part(string name) => ported.Single(tensor => tensor.Name == $"model.layers.{layer}.self_attn.{name}_proj.{kind}");
                released.Add(TinyTensor.Joined(InRelease($"model.layers.{layer}.mixer.Wqkv.{kind}", isFirst), Part("q"), Part("k"), Part("v")));
            }

            released.Add(Random(InRelease($"model.layers.{layer}.mixer.rotary_emb.inv_freq", isFirst), 1));
        }

        AreAlike(
            """
            {"architectures": ["PhiForCausalLM"], "hidden_size": 16, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3, "vocab_size": 10, "max_position_embeddings": 48,
             "partial_rotary_factor": 0.5, "hidden_act": "gelu_new", "layer_norm_eps": 1e-4}
            """,
            ported,
            $$"""
            {"architectures": ["{{architecture}}"], {{members}}, "n_embd": 16, "n_inner": null, "n_head": 4, "n_layer": 3, "vocab_size": 10, "n_positions": 48, "rotary_dim": 2,
             "activation_function": "gelu_new", "layer_norm_epsilon": 1e-4}
            """,
            released);
    }

    [Test]
    public void CodeGen2_was_trained_on_twice_as_many_cores_where_its_config_names_the_head_size()
    {
        const string Sizes = "\"architectures\": [\"CodeGenForCausalLM\"], \"n_embd\": 16, \"n_head\": 8, \"n_layer\": 2, \"n_positions\": 32, \"rotary_dim\": 2, \"vocab_size\": 10";
        AreAlike($"{{{Sizes}}}", CodeGen(4), $"{{{Sizes}, \"head_dim\": 2}}", CodeGen(8));
        Assert.That(Conversion.Sentence(() => ConfigText.DescribeAlone((JsonObject)JsonNode.Parse($"{{{Sizes.Replace("\"n_head\": 8", "\"n_head\": 4", StringComparison.Ordinal)}, \"head_dim\": 4}}")!)), Does.Contain("multiple of 8"));
    }

    /// <summary>CodeGen's tensors, with queries, values and keys in so many blocks.</summary>
    private static List<TinyTensor> CodeGen(int blocks)
    {
        List<TinyTensor> tensors = [Random("transformer.wte.weight", Vocabulary, Hidden), .. Norm("transformer.ln_f", Hidden), .. Linear("lm_head", Vocabulary, Hidden)];
        foreach (var prefix in Enumerable.Range(0, 2).Select(layer => $"transformer.h.{layer}."))
        {
            TinyTensor[] parts = [Random(prefix + "query", Hidden, Hidden), Random(prefix + "value", Hidden, Hidden), Random(prefix + "key", Hidden, Hidden)];
            var rows = Hidden / blocks;
            tensors.AddRange(
            [
                .. Norm(prefix + "ln_1", Hidden), Random(prefix + "attn.out_proj.weight", Hidden, Hidden), .. Linear(prefix + "mlp.fc_in", 4 * Hidden, Hidden), .. Linear(prefix + "mlp.fc_out", Hidden, 4 * Hidden),
                TinyTensor.Joined(prefix + "attn.qkv_proj.weight", [.. Enumerable.Range(0, blocks).SelectMany(block => parts.Select(part => part.Part(part.Name, block * rows, rows)))]),
            ]);
        }

        return tensors;
    }

    /// <summary>A name of transformers' layout in one of Phi's earlier ones, of which the first counts the embedding and the head among the layers.</summary>
    private static string InRelease(string name, bool isFirst)
    {
        (string Ported, string Released)[] names =
        [
            ("input_layernorm", "ln"), ("self_attn.dense", "mixer.out_proj"), ("model.embed_tokens", isFirst ? "layers.0.wte" : "transformer.embd.wte"),
            ("model.final_layernorm", isFirst ? "layers.4.ln" : "lm_head.ln"),
        ];
        if (name.StartsWith("lm_head.", StringComparison.Ordinal))
            return name.Replace("lm_head.", isFirst ? "layers.4.linear." : "lm_head.linear.", StringComparison.Ordinal);
        name = names.Aggregate(name, (known, pair) => known.Replace(pair.Ported, pair.Released, StringComparison.Ordinal));
        return name.Split('.', 4) is ["model", "layers", var layer, var rest] ? isFirst ? $"layers.{int.Parse(layer) + 1}.{rest}" : $"transformer.h.{layer}.{rest}" : name;
    }
}

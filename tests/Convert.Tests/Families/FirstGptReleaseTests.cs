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
}

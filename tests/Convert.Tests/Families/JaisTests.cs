using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Convert.Tests.Families;

/// <summary>Jais and BTLM, of which there is no reference checkpoint: a small random one in the layout of the release, against the published definition.</summary>
[TestFixture]
public sealed class JaisTests
{
    private const int Vocabulary = 61;
    private const int Hidden = 48;
    private const int Heads = 6;
    private const int Inner = 40;
    private const int Layers = 2;

    private static readonly int[] Tokens = [.. Enumerable.Range(0, 40).Select(i => ((i * 37) + (i * i)) % Vocabulary)];

    [Test]
    public void Jais_computes_what_its_release_does() => Agrees(
        "JAISLMHeadModel", "\"embeddings_scale\": 14.6, \"width_scale\": 0.11, \"scale_qk_dot_by_d\": true, \"activation_function\": \"swiglu\"",
        numbers => new(numbers, Hidden, Heads, Layers) { EmbeddingScale = 14.6, LogitScale = 0.11, DividesBySize = true });

    [Test]
    public void Btlm_has_other_words_for_its_factors() => Agrees(
        "BTLMLMHeadModel", "\"mup_embeddings_scale\": 2.5, \"mup_output_alpha\": 2.2, \"mup_width_scale\": 0.1, \"mup_scale_qk_dot_by_d\": true, \"activation_function\": \"swiglu\"",
        numbers => new(numbers, Hidden, Heads, Layers) { EmbeddingScale = 2.5, LogitScale = 0.22, DividesBySize = true });

    [Test]
    public void Distances_may_be_divided_and_gates_missing() => Agrees(
        "JAISLMHeadModel", "\"alibi_scaling\": {\"type\": \"linear\", \"factor\": 2.5}, \"activation_function\": \"gelu\"",
        numbers => new(numbers, Hidden, Heads, Layers) { DistanceFactor = 2.5, IsGated = false });

    [TestCase("null", 64)]
    [TestCase("{\"type\": \"linear\", \"train_seq_len\": 32}", 32)]
    [TestCase("{\"type\": \"linear\", \"train_seq_len\": 128}", 64)]
    public void Slopes_that_shrink_with_long_texts_end_the_context(string scaling, int context) => Assert.That(
        ConfigText.DescribeAlone((JsonObject)JsonNode.Parse(Config("JAISLMHeadModel", $"\"alibi_scaling\": {scaling}"))!).ContextLength, Is.EqualTo(context));

    [TestCase("\"position_embedding_type\": \"learned\"", "'position_embedding_type' learned")]
    [TestCase("\"scale_attn_by_inverse_layer_idx\": true", "'scale_attn_by_inverse_layer_idx'")]
    public void What_no_release_asks_for_is_named(string members, string sentence) => Assert.That(
        Conversion.Sentence(() => ConfigText.DescribeAlone((JsonObject)JsonNode.Parse($$"""{"architectures": ["JAISLMHeadModel"], {{members}} }""")!)), Does.Contain(sentence));

    private static string Config(string architecture, string members) => $$"""
        {"architectures": ["{{architecture}}"], "vocab_size": {{Vocabulary}}, "n_embd": {{Hidden}}, "n_head": {{Heads}}, "n_inner": {{Inner}}, "n_layer": {{Layers}}, "n_positions": 64,
         "position_embedding_type": "alibi", {{members}} }
        """;

    private static void Agrees(string architecture, string members, Func<Dictionary<string, double[]>, ReferenceJais> reference)
    {
        using var scratch = new ScratchFolder();
        var isGated = members.Contains("swiglu", StringComparison.Ordinal);
        var numbers = RandomTensors.Write(scratch["model"], Config(architecture, members), Shapes(isGated));
        Conversion.Convert(scratch["model"]).Dispose();
        using var model = Model.Load(scratch["model.weft"], new() { CacheType = DataType.Float32, Device = new(DeviceKind.Cpu, 0) });
        using var sequence = model.CreateSequence();
        var logits = new float[Tokens.Length * Vocabulary];
        sequence.Forward(Tokens, LogitRows.All, logits);
        Assert.That(ErrorMeasure.RelativeRms(logits, reference(numbers).Logits(Tokens)), Is.LessThan(1e-5));
    }

    private static IEnumerable<(string Name, int[] Shape)> Shapes(bool isGated)
    {
        yield return ("transformer.wte.weight", [Vocabulary, Hidden]);
        yield return ("transformer.relative_pe.slopes", [Heads, 1]);
        foreach (var layer in Enumerable.Range(0, Layers).Select(i => $"transformer.h.{i}."))
        {
            (string Module, int Inputs, int Outputs)[] modules = [("attn.c_attn", Hidden, 3 * Hidden), ("attn.c_proj", Hidden, Hidden), ("mlp.c_fc", Hidden, Inner), ("mlp.c_fc2", Hidden, Inner), ("mlp.c_proj", Inner, Hidden)];
            foreach (var (module, inputs, outputs) in modules.Where(module => isGated || module.Module != "mlp.c_fc2"))
            {
                yield return (layer + module + ".weight", [inputs, outputs]);
                yield return (layer + module + ".bias", [outputs]);
            }

            foreach (var norm in new[] { "ln_1", "ln_2" })
            {
                yield return ($"{layer}{norm}.weight", [Hidden]);
                yield return ($"{layer}{norm}.bias", [Hidden]);
            }
        }

        yield return ("transformer.ln_f.weight", [Hidden]);
        yield return ("transformer.ln_f.bias", [Hidden]);
    }
}

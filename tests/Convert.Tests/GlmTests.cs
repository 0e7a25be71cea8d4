using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Checkpoints;
using Weft.Convert.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Convert.Tests;

/// <summary>GLM, GLM-130B and PanGu-α, of which there is no reference checkpoint: a small random one in the layout of the release, against the published definition.</summary>
[TestFixture]
public sealed class GlmTests
{
    private const int Vocabulary = 60;
    private const int Hidden = 48;
    private const int Heads = 4;
    private const int Layers = 3;
    private const int Context = 40;
    private const int Inner = 80;
    private const int Start = 50;
    private const int Mask = 51;
    private const int GMask = 52;

    [TestCase("GLMModel", "glm.")]
    [TestCase("GLMForConditionalGeneration", "")]
    public void Glm_computes_what_its_release_does(string architecture, string prefix)
    {
        using var scratch = new ScratchFolder();
        var tensors = Random(GlmShapes());
        Write(scratch["model"], new JsonObject
        {
            ["architectures"] = new JsonArray(architecture),
            ["vocab_size"] = Vocabulary,
            ["hidden_size"] = Hidden,
            ["num_attention_heads"] = Heads,
            ["num_layers"] = Layers,
            ["max_sequence_length"] = Context,
            ["block_position_encoding"] = true,
            ["output_predict"] = true,
            ["relative_encoding"] = false,
        });
        File.WriteAllText(Path.Combine(scratch["model"], "added_tokens.json"), $$"""{"<|startofpiece|>": {{Start}}, "<|endofpiece|>": 53, "[MASK]": {{Mask}}, "[gMASK]": {{GMask}}}""");
        WriteWeights(Path.Combine(scratch["model"], "pytorch_model.bin"), tensors.ToDictionary(tensor => prefix + tensor.Key["glm.".Length..], tensor => tensor.Value), _ => null);

        using (var file = Conversion.Convert(scratch["model"]))
            Assert.That(file.Header.Generation.EosTokens, Is.EqualTo(new[] { 53 }));

        var reference = new ReferenceGlm(Widen(tensors), Hidden, Heads, Layers);
        int[] tokens = [5, 9, Mask, 30, 31, 32, Start, 4, 8, 15];
        Check(scratch["model"], tokens, reference.Glm(tokens, start: 6, mask: 2));
        tokens = [5, 9, 30, 31, 32, GMask, Start, 4, 8, 15];
        Check(scratch["model"], tokens, reference.Glm(tokens, start: 6, mask: 5));
    }

    [Test]
    public void Glm_needs_the_tokens_that_its_config_does_not_name()
    {
        using var scratch = new ScratchFolder();
        Write(scratch["model"], new JsonObject
        {
            ["architectures"] = new JsonArray("GLMModel"), ["vocab_size"] = Vocabulary, ["hidden_size"] = Hidden, ["num_attention_heads"] = Heads, ["num_layers"] = Layers,
        });
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("added_tokens.json is not beside it"));
    }

    [TestCase("{}", 10000, null)]
    [TestCase("{\"rope_ratio\":50}", 500000, null)]
    [TestCase("{\"rope_ratio\":16,\"_name_or_path\":\"THUDM/chatglm2-6b-32k\"}", 10000, 16.0)]
    [TestCase("{\"rope_ratio\":1,\"_name_or_path\":\"THUDM/chatglm2-6b\"}", 10000, null)]
    public void ChatGlm_after_the_first_has_two_ways_to_a_longer_context(string members, double theta, double? factor)
    {
        var rotary = ChatGlm2(members).Layers[0].Attention!.Rotary!;
        Assert.That((rotary.Theta, rotary.Size, rotary.Scaling?.Kind, rotary.Scaling?.Factor), Is.EqualTo((theta, 8, factor is null ? (RotaryScalingKind?)null : RotaryScalingKind.Linear, factor)));
    }

    [Test]
    public void ChatGlm_after_the_first_has_options_that_no_release_uses()
    {
        var model = ChatGlm2("{\"add_bias_linear\":true,\"rmsnorm\":false,\"post_layer_norm\":false,\"tie_word_embeddings\":true}");
        Assert.That(model.Layers[0].Attention is { InputBias: true, OutputBias: true } && model.Layers[0].FeedForward!.Bias && model.Head.Tied);
        Assert.That((model.Layers[0].AttentionNorm!.Kind, model.FinalNorm), Is.EqualTo((NormKind.Layer, (NormDescription?)null)));
        Assert.That(() => ChatGlm2("{\"multi_query_attention\":false}"), Throws.TypeOf<WeftException>().With.Message.Contains("multi_query_attention"));
        Assert.That(ChatGlm2("{\"apply_residual_connection_post_layernorm\":true}").Layers[0].NormedResidual && !model.Layers[0].NormedResidual);
    }

    [Test]
    public void ChatGlm_of_the_first_releases_does_not_name_its_blanks([Values] bool inTwo)
    {
        var model = ConfigText.Describe(
            "ChatGLMModel", $"{{\"vocab_size\":150528,\"num_layers\":2,\"inner_hidden_size\":96,\"bos_token_id\":150004,\"position_encoding_2d\":{(inTwo ? "true" : "false")}}}");
        Assert.That(model.Prefix!.EndToken, Is.EqualTo(150004));
        Assert.That(model.Prefix.BlankTokens, Is.EqualTo(inTwo ? new[] { 150001, 150000 } : [150000]));
        Assert.That(model.Layers[0].Attention!.Rotary!.Spans, Is.EqualTo(inTwo));
        Assert.That(model.Layers[0].ResidualScale, Is.EqualTo(MathF.Sqrt(56)), "the releases' α counts 28 layers");
    }

    [Test]
    public void Glm_130B_computes_what_its_release_does([Values(1, 2, 4)] int parts)
    {
        using var scratch = new ScratchFolder();
        var tensors = Random(Glm130BShapes());
        Write(scratch["model"], new JsonObject
        {
            ["architectures"] = new JsonArray("GLM130B"),
            ["vocab_size"] = Vocabulary,
            ["hidden_size"] = Hidden,
            ["inner_hidden_size"] = Inner,
            ["num_attention_heads"] = Heads,
            ["num_layers"] = Layers,
            ["max_sequence_length"] = Context,
            ["mask_token_id"] = Mask,
            ["bos_token_id"] = Start,
        });
        for (var part = 0; part < parts; part++)
        {
            WriteWeights(
                Path.Combine(scratch["model"], $"mp_rank_{part:00}_model_states.pt"), tensors, name => Part(name, tensors[name], part, parts), value => PyTorchArchive.Dictionary(("module", value)));
        }

        var reference = new ReferenceGlm(Widen(tensors), Hidden, Heads, Layers);
        int[] tokens = [5, 9, Mask, 30, 31, 32, Start, 4, 8, 15];
        Check(scratch["model"], tokens, reference.Glm130B(tokens, start: 6, mask: 2));
        tokens = [5, 9, 30, 31, 32, GMask, Start, 4, 8, 15];
        Check(scratch["model"], tokens, reference.Glm130B(tokens, start: 6, mask: null));
        if (parts == 1)
            return;
        File.Delete(Path.Combine(scratch["model"], "mp_rank_00_model_states.pt"));
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("mp_rank_00_model_states.pt: this part does not exist"));
    }

    [Test]
    public void Glm_130B_as_released_needs_no_config([Values("", "49300")] string iteration)
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(Path.Combine(scratch["model"], iteration));
        if (iteration.Length > 0)
            File.WriteAllText(Path.Combine(scratch["model"], "latest"), iteration);
        WriteWeights(Path.Combine(scratch["model"], iteration, "mp_rank_00_model_states.pt"), Random([("transformer.word_embeddings.weight", [Vocabulary, Hidden])]), _ => null);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("'transformer.word_embeddings.weight#0' has the shape [60, 48], but the config asks for [150528, 12288]"));
    }

    [Test]
    public void Pangu_computes_what_its_release_does([Values] bool isTied)
    {
        using var scratch = new ScratchFolder();
        var tensors = Random(PanguShapes());
        if (isTied)
            tensors["lm_head.weight"] = tensors["transformer.wte.weight"];
        Write(scratch["model"], new JsonObject
        {
            ["architectures"] = new JsonArray("GPTPanguForCausalLM"),
            ["vocab_size"] = Vocabulary,
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = isTied ? Inner : null,
            ["num_heads"] = Heads,
            ["num_layers"] = Layers,
            ["max_position_embeddings"] = Context,
            ["tie_word_embeddings"] = isTied,
        });
        foreach (var name in tensors.Keys.Where(name => !isTied && name.Contains("mlp.", StringComparison.Ordinal)).ToList())
            tensors[name] = Widened(tensors[name]);
        WriteWeights(Path.Combine(scratch["model"], "pytorch_model.bin"), tensors, _ => null);
        int[] tokens = [5, 9, 30, 31, 32, 4, 8, 15, 5, 9, 30];
        Check(scratch["model"], tokens, ReferencePangu.Logits(Widen(tensors), tokens, Hidden, Heads, Layers));

        // As wide as where the config does not say, with zeros.
        static (float[] Values, int[] Shape) Widened((float[] Values, int[] Shape) tensor) => tensor.Shape switch
        {
            [Inner] => ([.. tensor.Values, .. new float[(4 * Hidden) - Inner]], [4 * Hidden]),
            [Inner, Hidden] => ([.. tensor.Values, .. new float[((4 * Hidden) - Inner) * Hidden]], [4 * Hidden, Hidden]),
            [Hidden, Inner] => ([.. tensor.Values.Chunk(Inner).SelectMany(row => row.Concat(new float[(4 * Hidden) - Inner]))], [Hidden, 4 * Hidden]),
            _ => tensor,
        };
    }

    private static ModelDescription ChatGlm2(string members)
    {
        var own = JsonNode.Parse(members)!.AsObject();
        foreach (var (name, value) in new JsonObject
        {
            ["num_layers"] = 2, ["ffn_hidden_size"] = 96, ["kv_channels"] = 16, ["multi_query_attention"] = true, ["multi_query_group_num"] = 2, ["padded_vocab_size"] = 320,
        })
            own.TryAdd(name, value!.DeepClone());
        return ConfigText.Describe("ChatGLMModel", own.ToJsonString());
    }

    private static IEnumerable<(string Name, int[] Shape)> PanguShapes()
    {
        foreach (var (name, rows) in new[] { ("transformer.wte", Vocabulary), ("transformer.wpe", Context), ("transformer.wqe", Context), ("lm_head", Vocabulary) })
            yield return (name + ".weight", [rows, Hidden]);
        var modules = Enumerable.Range(0, Layers).Select(i => $"transformer.h.{i}.").SelectMany(layer => new[]
        {
            (layer + "ln_1", Hidden, 0), (layer + "attn.q_proj", Hidden, Hidden), (layer + "attn.k_proj", Hidden, Hidden), (layer + "attn.v_proj", Hidden, Hidden),
            (layer + "attn.c_proj", Hidden, Hidden), (layer + "ln_2", Hidden, 0), (layer + "mlp.c_fc", Inner, Hidden), (layer + "mlp.c_proj", Hidden, Inner),
        });
        foreach (var (module, rows, columns) in modules.Append(("transformer.ln_f", Hidden, 0)))
        {
            yield return (module + ".weight", columns == 0 ? [rows] : [rows, columns]);
            yield return (module + ".bias", [rows]);
        }
    }

    private static IEnumerable<(string Name, int[] Shape)> GlmShapes()
    {
        yield return ("glm.word_embeddings.weight", [Vocabulary, Hidden]);
        yield return ("glm.transformer.position_embeddings.weight", [Context + 1, Hidden]);
        yield return ("glm.transformer.block_position_embeddings.weight", [Context + 1, Hidden]);
        foreach (var tensor in LayerShapes("glm.transformer.", 4 * Hidden, 4 * Hidden))
            yield return tensor;
    }

    private static IEnumerable<(string Name, int[] Shape)> Glm130BShapes() =>
        LayerShapes("transformer.", 2 * Inner, Inner).Prepend(("transformer.word_embeddings.weight", [Vocabulary, Hidden]));

    private static IEnumerable<(string Name, int[] Shape)> LayerShapes(string prefix, int wide, int inner)
    {
        var linears = Enumerable.Range(0, Layers).Select(i => $"{prefix}layers.{i}.").SelectMany(layer => new[]
        {
            (layer + "input_layernorm", Hidden, 0), (layer + "attention.query_key_value", 3 * Hidden, Hidden), (layer + "attention.dense", Hidden, Hidden),
            (layer + "post_attention_layernorm", Hidden, 0), (layer + "mlp.dense_h_to_4h", wide, Hidden), (layer + "mlp.dense_4h_to_h", Hidden, inner),
        });
        foreach (var (module, rows, columns) in linears.Append((prefix + "final_layernorm", Hidden, 0)))
        {
            yield return (module + ".weight", columns == 0 ? [rows] : [rows, columns]);
            yield return (module + ".bias", [rows]);
        }
    }

    /// <summary>
    /// What a process has of a tensor, as the release's tools/convert_tp.py cuts: columns of what its results are summed of, rows of what its input is whole,
    /// of the gated projection rows of both halves, and all of norms and of biases that are added to a sum.
    /// </summary>
    private static (float[] Values, int[] Shape) Part(string name, (float[] Values, int[] Shape) whole, int part, int parts)
    {
        var (values, shape) = whole;
        if (name.Contains("layernorm", StringComparison.Ordinal) || name.EndsWith("attention.dense.bias", StringComparison.Ordinal) || name.EndsWith("dense_4h_to_h.bias", StringComparison.Ordinal))
            return whole;
        var columns = shape.Length == 1 ? 1 : shape[1];
        if (name.EndsWith("attention.dense.weight", StringComparison.Ordinal) || name.EndsWith("dense_4h_to_h.weight", StringComparison.Ordinal))
        {
            var own = columns / parts;
            return ([.. Enumerable.Range(0, shape[0]).SelectMany(row => values.Skip((row * columns) + (part * own)).Take(own))], [shape[0], own]);
        }

        float[] Rows(int first, int count) => values[(first * columns)..((first + count) * columns)];
        var rows = shape[0] / parts;
        int[] cut = shape.Length == 1 ? [rows] : [rows, columns];
        return name.Contains("dense_h_to_4h", StringComparison.Ordinal)
            ? ([.. Rows(part * rows / 2, rows / 2), .. Rows((shape[0] / 2) + (part * rows / 2), rows / 2)], cut)
            : (Rows(part * rows, rows), cut);
    }

    private static Dictionary<string, (float[] Values, int[] Shape)> Random(IEnumerable<(string Name, int[] Shape)> shapes)
    {
        var random = new Random(5);
        return shapes.ToDictionary(tensor => tensor.Name, tensor =>
        {
            var spread = tensor.Shape.Length == 1 ? 0.2 : 1.2 / Math.Sqrt(tensor.Shape[1]);
            var mean = tensor.Shape.Length == 1 && tensor.Name.EndsWith(".weight", StringComparison.Ordinal) ? 1 : 0;
            var count = tensor.Shape.Aggregate(1, (a, b) => a * b);
            return (Enumerable.Range(0, count).Select(_ => (float)(mean + (spread * TinyModel.Normal(random)))).ToArray(), tensor.Shape);
        });
    }

    private static Dictionary<string, double[]> Widen(Dictionary<string, (float[] Values, int[] Shape)> tensors) =>
        tensors.ToDictionary(tensor => tensor.Key, tensor => Array.ConvertAll(tensor.Value.Values, value => (double)value));

    private static void Write(string folder, JsonObject config)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
    }

    /// <summary>Writes tensors, or in their place what <paramref name="replace"/> gives, as torch.save does.</summary>
    private static void WriteWeights(
        string path, Dictionary<string, (float[] Values, int[] Shape)> tensors, Func<string, (float[] Values, int[] Shape)?> replace, Func<byte[], byte[]>? wrap = null)
    {
        var archive = new PyTorchArchive();
        var items = new List<(string, byte[])>();
        foreach (var (name, whole) in tensors)
        {
            var (values, shape) = replace(name) ?? whole;
            var key = $"{items.Count}";
            archive.Storage(key, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
            items.Add((name, PyTorchArchive.Tensor("FloatStorage", key, values.Length, 0, shape, shape.Length == 1 ? [1] : [shape[1], 1])));
        }

        var dictionary = PyTorchArchive.Dictionary([.. items]);
        archive.Value(wrap?.Invoke(dictionary) ?? dictionary).Write(path);
    }

    private static void Check(string folder, int[] tokens, double[] expected)
    {
        using (Conversion.Convert(folder))
        {
        }

        using var model = Model.Load($"{folder}.weft", new ModelOptions { CacheType = DataType.Float32 });
        using var sequence = model.CreateSequence();
        var logits = new float[expected.Length];
        sequence.Forward(tokens, LogitRows.All, logits);
        Assert.That(ErrorMeasure.RelativeRms(logits, expected), Is.LessThan(1e-5));
    }
}

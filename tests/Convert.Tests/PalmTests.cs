using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Checkpoints;
using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Convert.Tests;

/// <summary>PaLM, of which there is no reference checkpoint: a small random one in the layout of the release, against the published definition.</summary>
[TestFixture]
public sealed class PalmTests
{
    private const int Vocabulary = 60;
    private const int Hidden = 48;
    private const int Heads = 3;
    private const int HeadSize = 20;
    private const int Layers = 2;

    [Test]
    public void It_computes_what_its_release_does([Values] bool normsHeads, [Values("model.pt", "pytorch_model.bin")] string file, [Values(null, 90)] int? scaleBase)
    {
        using var scratch = new ScratchFolder();
        var tensors = Random(normsHeads);
        Write(scratch["model"], tensors, file, new()
        {
            ["num_tokens"] = Vocabulary, ["dim"] = Hidden, ["depth"] = Layers, ["dim_head"] = HeadSize, ["heads"] = Heads, ["qk_rmsnorm"] = normsHeads, ["eos_token_id"] = 7,
            ["rotary_xpos_scale_base"] = scaleBase, ["max_seq_len"] = scaleBase is null ? null : 3000,
        });
        var random = new Random(1);
        var tokens = Enumerable.Range(0, 200).Select(_ => random.Next(Vocabulary)).ToArray();
        var expected = new ReferencePalm(tensors.ToDictionary(tensor => tensor.Key, tensor => Array.ConvertAll(tensor.Value.Values, value => (double)value)), Hidden, Heads, HeadSize, Layers, scaleBase ?? 512)
        {
            NormsHeads = normsHeads,
        }.Logits(tokens);
        using (var packed = Conversion.Convert(scratch["model"]))
        {
            Assert.That(packed.Header.Generation.EosTokens, Is.EqualTo(new[] { 7 }));
            Assert.That(packed.Header.Model.ContextLength, Is.EqualTo(scaleBase is null ? 8192 : 3000));
        }

        using var model = Model.Load($"{scratch["model"]}.weft");
        Assert.That(model.CacheType, Is.EqualTo(DataType.Float32), "keys of a long context have no room in 16 bits");
        using var sequence = model.CreateSequence();
        var logits = new float[expected.Length];
        sequence.Forward(tokens, LogitRows.All, logits);
        Assert.That(ErrorMeasure.RelativeRms(logits, expected), Is.LessThan(1e-5));
    }

    [Test]
    public void A_head_of_its_own_is_refused()
    {
        using var scratch = new ScratchFolder();
        var tensors = Random(normsHeads: false);
        tensors["to_logits.weight"] = ([.. tensors["token_emb.weight"].Values.Select(value => value + 1)], [Vocabulary, Hidden]);
        Write(scratch["model"], tensors, "model.pt", new() { ["num_tokens"] = Vocabulary, ["dim"] = Hidden, ["depth"] = Layers, ["dim_head"] = HeadSize, ["heads"] = Heads });
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("'to_logits.weight' differs from 'token_emb.weight'"));
    }

    [TestCase("palm_150m_8k_v0.pt", 768)]
    [TestCase("palm_2b_8k_v0.pt", 2560)]
    public void As_released_it_needs_no_config(string file, int width)
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch["model"]);
        WriteWeights(Path.Combine(scratch["model"], file), Random(normsHeads: false));
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain($"'token_emb.weight' has the shape [60, 48], but the config asks for [50304, {width}]"));
    }

    [Test]
    public void A_context_beyond_the_range_of_its_factors_is_refused()
    {
        using var scratch = new ScratchFolder();
        Write(scratch["model"], Random(normsHeads: false), "model.pt", new()
        {
            ["num_tokens"] = Vocabulary, ["dim"] = Hidden, ["depth"] = Layers, ["dim_head"] = HeadSize, ["heads"] = Heads, ["max_seq_len"] = 40_000,
        });
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("over a context of 40000 tokens products that decay with a base of 512 tokens leave the range of float32"));
    }

    private static Dictionary<string, (float[] Values, int[] Shape)> Random(bool normsHeads)
    {
        var random = new Random(5);
        List<(string Name, int[] Shape, double Mean, double Spread)> shapes = [("token_emb.weight", [Vocabulary, Hidden], 0, 0.3)];
        for (var i = 0; i < Layers; i++)
        {
            var layer = $"layers.{i}.fn.";
            shapes.AddRange(
            [
                (layer + "norm.gamma", [Hidden], 1, 0.2), (layer + "norm.beta", [Hidden], 0, 0), (layer + "rotary_emb.inv_freq", [HeadSize / 2], 0, 1), (layer + "rotary_emb.scale", [HeadSize / 2], 0, 1),
                (layer + "fused_attn_ff_proj.weight", [((Heads + 2) * HeadSize) + (8 * Hidden), Hidden], 0, 0.25), (layer + "attn_out.weight", [Hidden, Heads * HeadSize], 0, 0.15),
                (layer + "ff_out.2.weight", [Hidden, 4 * Hidden], 0, 0.08),
            ]);
            if (normsHeads)
                shapes.AddRange([(layer + "q_scale", [HeadSize], 3, 0.5), (layer + "k_scale", [HeadSize], 3, 0.5)]);
        }

        shapes.AddRange([("norm.gamma", [Hidden], 1, 0.2), ("norm.beta", [Hidden], 0, 0)]);
        var tensors = shapes.ToDictionary(tensor => tensor.Name, tensor => (
            Enumerable.Range(0, tensor.Shape.Aggregate(1, (a, b) => a * b)).Select(_ => (float)(tensor.Mean + (tensor.Spread * TinyModel.Normal(random)))).ToArray(), tensor.Shape));
        tensors["to_logits.weight"] = tensors["token_emb.weight"];
        return tensors;
    }

    private static void Write(string folder, Dictionary<string, (float[] Values, int[] Shape)> tensors, string file, JsonObject config)
    {
        Directory.CreateDirectory(folder);
        config["architectures"] = new JsonArray("PaLM");
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        WriteWeights(Path.Combine(folder, file), tensors);
    }

    private static void WriteWeights(string path, Dictionary<string, (float[] Values, int[] Shape)> tensors)
    {
        var archive = new PyTorchArchive();
        var items = new List<(string, byte[])>();
        foreach (var (name, (values, shape)) in tensors)
        {
            var key = $"{items.Count}";
            archive.Storage(key, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
            items.Add((name, PyTorchArchive.Tensor("FloatStorage", key, values.Length, 0, shape, shape.Length == 1 ? [1] : [shape[1], 1])));
        }

        archive.Value(PyTorchArchive.Dictionary([.. items])).Write(path);
    }
}

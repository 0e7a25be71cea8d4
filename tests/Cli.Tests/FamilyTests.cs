using System.Globalization;
using Weft.Weights;

namespace Weft.Cli.Tests;

/// <summary>Reference checkpoints of families beyond LLaMA's, on the CPU.</summary>
[TestFixture]
public sealed class FamilyTests
{
    private const double Tolerance = 2e-3;

    [TestCase("gpt2")]
    [TestCase("openai-gpt")]
    [TestCase("gpt-j")]
    [TestCase("gpt-neox")]
    [TestCase("pythia")]
    [TestCase("stablelm-alpha")]
    [TestCase("codegen")]
    [TestCase("gpt-bigcode")]
    [TestCase("starcoder2")]
    [TestCase("opt")]
    [TestCase("opt-350m")]
    [TestCase("galactica")]
    [TestCase("bloom")]
    [TestCase("mpt")]
    [TestCase("falcon-7b")]
    [TestCase("falcon-40b")]
    [TestCase("xglm")]
    [TestCase("phi")]
    [TestCase("chatglm-6b")]
    [TestCase("chatglm2-6b")]
    [TestCase("mixtral")]
    [TestCase("qwen2-moe")]
    [TestCase("qwen3-moe")]
    [TestCase("gpt-oss")]
    [TestCase("gpt-oss-mxfp4")]
    [TestCase("deepseek-v2")]
    [TestCase("rwkv4")]
    [TestCase("mamba")]
    [TestCase("bart")]
    [TestCase("nllb")]
    public void A_golden_verifies_with_both_caches(string name)
    {
        var golden = Require.Golden(name);
        Verifies(golden, golden, "f32", 1e-5);
        Verifies(golden, golden, "f16", Tolerance);
    }

    /// <summary>Prompts beyond the length that was trained; the reference gives their logits alone.</summary>
    [TestCase("qwen-ntk")]
    [TestCase("llama-dynamic-ntk")]
    public void A_base_that_grows_verifies_with_both_caches(string name)
    {
        foreach (var (cache, tolerance) in new[] { ("f32", "1e-5"), ("f16", "2e-3") })
        {
            var outcome = WeftProcess.Run("verify", Require.Golden(name), "--device", "cpu", "--cache", cache, "--tolerance", tolerance);
            Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        }
    }

    /// <summary>Their scores are not scaled: a 16-bit cache would round keys too much, so that they get another by themselves.</summary>
    [TestCase("gpt-neo")]
    [TestCase("t5")]
    [TestCase("flan-t5")]
    [TestCase("mt5")]
    public void A_golden_with_unscaled_scores_verifies_with_the_cache_that_it_is_given(string name)
    {
        var outcome = WeftProcess.Run("verify", Require.Golden(name), "--device", "cpu");
        Assert.That(outcome.Out, Does.Contain("cache f32").And.Contain("greedy  24/24").And.Contain("PASS"));
    }

    /// <summary>
    /// The golden is of the reference's 'eager' attention, which adds ALiBi to the scores and once more in the mask; its default does not, nor
    /// did training. So does this test's model.
    /// </summary>
    [Test]
    public void Falcon_RW_verifies_with_the_slopes_counted_twice()
    {
        var golden = Require.Golden("falcon-rw");
        var (packed, doubled) = (TestModels.NewPath(".weft"), TestModels.NewPath(".weft"));
        var convert = WeftProcess.Run("convert", golden, "-o", packed);
        Assert.That(convert.ExitCode, Is.Zero, convert.ToString());
        using (var file = WeftFile.Open(packed))
            WriteWithDoubleSlopes(file, doubled);
        Verifies(doubled, golden, "f32", 1e-5);
        Verifies(doubled, golden, "f16", Tolerance);
    }

    private static void Verifies(string model, string golden, string cache, double tolerance)
    {
        var outcome = WeftProcess.Run(
            "verify", model, "--expected", Path.Combine(golden, "expected.safetensors"), "--device", "cpu", "--cache", cache, "--tolerance", tolerance.ToString(CultureInfo.InvariantCulture));
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out, Does.Contain("greedy  24/24").And.Contain("PASS"));
    }

    private static void WriteWithDoubleSlopes(WeftFile source, string path)
    {
        var model = source.Header.Model;
        var header = source.Header with
        {
            Model = model with
            {
                Layers = [.. model.Layers.Select(layer => layer with
                {
                    Attention = layer.Attention! with { AlibiSlopes = [.. layer.Attention.AlibiSlopes!.Select(slope => 2 * slope)] },
                })],
            },
        };
        using var writer = WeftWriter.Create(path, header);
        foreach (var tensor in header.Tensors)
        {
            writer.Begin(tensor.Name);
            writer.Append(source.Bytes(tensor, 0, (int)tensor.Length));
        }

        writer.Complete(header);
    }
}

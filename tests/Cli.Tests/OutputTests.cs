using System.Globalization;
using System.Text.Json;
using Weft.Reference;

namespace Weft.Cli.Tests;

/// <summary>What verbs print: JSON for machines, plain text without escapes where nobody watches, numbers that are right.</summary>
[TestFixture]
public sealed class OutputTests
{
    private static string Heldout => Path.Combine(WeftProcess.Bard, "heldout.txt");

    private static string Expected => Path.Combine(WeftProcess.Bard, "expected.safetensors");

    [Test]
    public void Inspect_tells_the_model()
    {
        var json = Json("inspect", TestModels.Packed, "--verify");
        Assert.That(json.GetProperty("parameters").GetInt64(), Is.EqualTo(5_246_208));
        Assert.That(json.GetProperty("checksums_verified").GetBoolean(), Is.True);
        Assert.That(json.GetProperty("bytes").GetInt64(), Is.EqualTo(new FileInfo(TestModels.Packed).Length));
        Assert.That(json.GetProperty("bytes_by_dtype").GetProperty("bf16").GetInt64(), Is.GreaterThan(10_000_000));
        Assert.That(json.GetProperty("model").GetProperty("layers").GetArrayLength(), Is.EqualTo(6));
        Assert.That(json.GetProperty("model").GetProperty("final_norm").GetProperty("kind").GetString(), Is.EqualTo("rms"));
        Assert.That(json.GetProperty("tensors")[0].GetProperty("dtype").GetString(), Is.EqualTo("bf16"));
        var text = WeftProcess.Run("inspect", TestModels.Packed).Out;
        Assert.That(text, Does.Contain("6 layers, hidden size 256").And.Contain("4 query and 2 key/value heads of 64").And.Contain("embedding.weight"));
    }

    [Test]
    public void Tokens_go_there_and_back()
    {
        const string text = "What light is this?\nThou art – my \"soul\" \\ naïve 🌹";
        var json = Json("tokenize", TestModels.Packed, text, "--no-special");
        var ids = json.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray();
        Assert.That(json.GetProperty("pieces").GetArrayLength(), Is.EqualTo(ids.Length));
        var arguments = WeftProcess.Run(["detokenize", TestModels.Packed, .. ids.Select(id => id.ToString(CultureInfo.InvariantCulture))]);
        Assert.That(arguments.Out, Is.EqualTo(text + "\n"), arguments.ToString());
        var piped = WeftProcess.Run(["detokenize", TestModels.Packed], json.GetProperty("ids").GetRawText());
        Assert.That(piped.Out, Is.EqualTo(text + "\n"), piped.ToString());
        var lines = WeftProcess.Run("tokenize", TestModels.Packed, text, "--no-special").Out.TrimEnd('\n').Split('\n');
        Assert.That(lines, Has.Length.EqualTo(ids.Length));
    }

    [TestCase("f32", 1e-5)]
    [TestCase("f16", 2e-3)]
    [TestCase("bf16", 2e-2)]
    public void Verify_passes_on_the_demo_model(string cache, double tolerance)
    {
        var json = Json("verify", TestModels.Packed, "--expected", Expected, "--cache", cache, "--tolerance", tolerance.ToString(CultureInfo.InvariantCulture));
        Assert.That(json.GetProperty("pass").GetBoolean(), Is.True, json.GetRawText());
        Assert.That(json.GetProperty("relative_rms").GetDouble(), Is.InRange(1e-12, tolerance));
        Assert.That(json.GetProperty("greedy_tokens").GetInt32(), Is.EqualTo(48));
    }

    [Test]
    public void Verify_fails_beyond_its_tolerance()
    {
        var outcome = WeftProcess.Run("verify", TestModels.Packed, "--expected", Expected, "--tolerance", "1e-12");
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Out, Does.Contain("FAIL").And.Contain("greedy  48/48"));
    }

    [TestCase("llama")]
    [TestCase("llama2-gqa")]
    [TestCase("llama3")]
    [TestCase("llama-yarn")]
    [TestCase("mistral")]
    [TestCase("qwen2")]
    [TestCase("deepseek-coder")]
    [TestCase("internlm")]
    [TestCase("qwen3")]
    [TestCase("qwen")]
    [TestCase("gemma")]
    [TestCase("gemma2")]
    [TestCase("gemma3")]
    [TestCase("phi3")]
    [TestCase("stablelm-3b")]
    [TestCase("stablelm2-12b")]
    [TestCase("persimmon")]
    [TestCase("olmo2")]
    [TestCase("cohere")]
    [TestCase("glm4")]
    [TestCase("decilm-7b")]
    [TestCase("baichuan-7b")]
    [TestCase("baichuan-13b")]
    [TestCase("baichuan2-7b")]
    [TestCase("baichuan2-13b")]
    public void Verify_passes_on_reference_checkpoints_with_both_caches(string name)
    {
        var golden = SharedData.TryFind("goldens/" + name);
        if (golden is null)
            Assert.Ignore("the reference checkpoints (../shared/goldens or WEFT_SHARED) are not on this machine");
        foreach (var cache in (string[])["f32", "f16"])
        {
            var outcome = WeftProcess.Run("verify", golden, "--expected", Path.Combine(golden, "expected.safetensors"), "--cache", cache);
            Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
            Assert.That(outcome.Out, Does.Contain("greedy  24/24").And.Contain("PASS"));
        }
    }

    [Test]
    public void Eval_agrees_with_the_model_card()
    {
        var json = Json("eval", TestModels.Packed, "--text", Heldout);
        Assert.That(json.GetProperty("loss").GetDouble(), Is.EqualTo(3.51558).Within(0.5).Percent);
        Assert.That(json.GetProperty("perplexity").GetDouble(), Is.EqualTo(Math.Exp(json.GetProperty("loss").GetDouble())).Within(1e-9));
        Assert.That(json.GetProperty("predictions").GetInt32(), Is.EqualTo(31_365));
        Assert.That(json.GetProperty("windows").GetInt32(), Is.EqualTo(123));
    }

    [Test]
    public void Bench_measures_model_and_machine()
    {
        string[] arguments = ["bench", TestModels.Packed, "--prefill", "32", "--decode", "8", "--repeat", "2"];
        var json = Json(arguments);
        foreach (var name in (string[])["prefill_tokens_per_second", "decode_tokens_per_second", "read_gigabytes_per_second", "fused_multiply_add_gflops"])
        {
            var spread = json.GetProperty(name);
            Assert.That(spread.GetProperty("median").GetDouble(), Is.InRange(spread.GetProperty("min").GetDouble(), spread.GetProperty("max").GetDouble()));
            Assert.That(spread.GetProperty("min").GetDouble(), Is.Positive);
        }

        var table = WeftProcess.Run(arguments);
        Assert.That(table.Out, Does.Contain("prefill 32").And.Contain("decode 8").And.Contain("memory read").And.Not.Contain("\u001b"));
    }

    [Test]
    public void Doctor_says_one_line_each()
    {
        var outcome = WeftProcess.Run("doctor");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out.TrimEnd('\n').Split('\n'), Has.All.Match("^(ok|note) +[a-zA-Z.]+ .+"));
        Assert.That(outcome.Out, Does.Contain("models/bard").And.Contain("GB/s").And.Contain("CUDA driver").And.Contain("NVRTC").And.Contain("cuBLASLt"));
    }

    [Test]
    public void Demo_writes_and_sums_up()
    {
        var outcome = WeftProcess.Run(["demo"], "", ("NO_COLOR", "1"));
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        foreach (var part in (string[])["ROMEO:", "load", "first token", "prefill", "decode", "tokens/s", "peak memory"])
            Assert.That(outcome.Out, Does.Contain(part));
        Assert.That(outcome.Out, Does.Not.Contain("\u001b"));
    }

    private static JsonElement Json(params string[] arguments)
    {
        var outcome = WeftProcess.Run([.. arguments, "--json"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out, Does.Not.Contain("\u001b"));
        return JsonDocument.Parse(outcome.Out).RootElement;
    }
}

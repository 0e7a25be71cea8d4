using System.Globalization;
using System.Text.RegularExpressions;

namespace Weft.Cli.Tests;

/// <summary>Quantized models from the command line: reference checkpoints on both backends, and quantizing one's own.</summary>
[TestFixture]
public sealed class QuantizedTests
{
    private static readonly string[] Goldens = ["llama-gptq", "llama-gptq-actorder", "llama-gptq-channel", "llama-gptq-8bit", "llama-gptq-3bit", "llama-awq", "llama-ct-int4", "llama-bnb-int8", "llama-bnb-nf4"];

    private static readonly Lazy<double> Dense = new(() => Loss(TestModels.Packed));

    private string folder = "";

    [SetUp]
    public void CreateFolder()
    {
        folder = TestModels.NewPath();
        Directory.CreateDirectory(folder);
    }

    [Test]
    public void A_golden_verifies_on_the_cpu([ValueSource(nameof(Goldens))] string golden)
    {
        var outcome = WeftProcess.Run("verify", Require.Golden(golden), "--device", "cpu");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
    }

    /// <summary>To the bound of everything else on the processor.</summary>
    [Test]
    public void A_golden_verifies_with_activations_that_are_not_rounded([ValueSource(nameof(Goldens))] string golden)
    {
        var outcome = WeftProcess.Run("verify", Require.Golden(golden), "--device", "cpu", "--activations", "f32", "--tolerance", "2e-3");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
    }

    [Test]
    public void A_golden_verifies_on_the_software_device([ValueSource(nameof(Goldens))] string golden, [Values("bf16", "f16")] string activations)
    {
        Require.Simulator();
        var outcome = WeftProcess.Run("verify", Require.Golden(golden), "--device", "sim", "--activations", activations);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
    }

    /// <summary>The numbers that it stands for, and those rounded to the type that its config names.</summary>
    [TestCase("f32", "f32", "1e-5")]
    [TestCase(null, "f32", "1e-3")]
    [TestCase(null, "f16", "2e-3")]
    public void A_golden_in_eight_bit_floating_point_verifies(string? type, string cache, string tolerance)
    {
        var golden = Require.Golden("llama-ct-fp8");
        var packed = Path.Combine(folder, "fp8.weft");
        var convert = WeftProcess.Run(["convert", golden, "-o", packed, .. type is null ? [] : new[] { "--dtype", type }]);
        Assert.That(convert.ExitCode, Is.Zero, convert.ToString());
        var outcome = WeftProcess.Run(
            "verify", packed, "--expected", Path.Combine(golden, "expected.safetensors"), "--device", "cpu", "--cache", cache, "--tolerance", tolerance);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
    }

    /// <summary>One model in twelve of llama.cpp's types, each with its own logits.</summary>
    [TestCase("cpu")]
    [TestCase("sim")]
    public void Gguf_files_verify(string device)
    {
        if (device == "sim")
            Require.Simulator();
        var outcome = WeftProcess.Run("verify", Require.Golden("llama-gguf"), "--device", device);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out, Does.Contain($"{device}: 12 pass, 0 fail, 0 refused").And.Contain("model-Q4_K_M.gguf"));
    }

    [Test]
    public void What_is_not_supported_is_named()
    {
        foreach (var file in Directory.EnumerateFiles(Require.Golden("llama-gptq")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        var config = Path.Combine(folder, "config.json");
        var text = File.ReadAllText(config);
        File.Delete(config);
        File.WriteAllText(config, text.Replace("\"quant_method\": \"gptq\"", "\"quant_method\": \"hqq\"", StringComparison.Ordinal));
        var outcome = WeftProcess.Run("verify", folder, "--device", "cpu");
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("the quantization 'hqq' is not supported; supported are").And.Not.Contain("   at "));
    }

    [TestCase("32")]
    [TestCase("64")]
    [TestCase("128")]
    public void A_model_quantized_by_rounding_loses_little(string groupSize)
    {
        var packed = Path.Combine(folder, "int4.weft");
        var convert = WeftProcess.Run("convert", WeftProcess.Bard, "--quant", "int4", "--method", "rtn", "--group-size", groupSize, "-o", packed);
        Assert.That(convert.ExitCode, Is.Zero, convert.ToString());
        Assert.That(new FileInfo(packed).Length, Is.LessThan(new FileInfo(TestModels.Packed).Length / 2));
        Assert.That(WeftProcess.Run("inspect", packed, "--verify").Out, Does.Contain("int4"));
        var quantized = Loss(packed);
        Assert.That(quantized, Is.InRange(Dense.Value - 0.005, Dense.Value + 0.05), $"{Dense.Value} nats/token before");
    }

    /// <summary>Whoever kept numbers of all layers would need more than twice what is said.</summary>
    [Test]
    public void A_model_runs_in_the_device_memory_that_it_says_it_needs([Values] bool quantized)
    {
        Require.Simulator();
        var model = TestModels.Packed;
        if (quantized)
        {
            model = Path.Combine(folder, "int4.weft");
            Assert.That(WeftProcess.Run("convert", WeftProcess.Bard, "--quant", "int4", "-o", model).ExitCode, Is.Zero);
        }

        Outcome Run(long bytes) => WeftProcess.Run(
            ["run", model, "To be", "-n", "4", "--device", "sim", "--context", "64"], "", ("WEFT_SIM_MEMORY", bytes.ToString(CultureInfo.InvariantCulture)));
        var refusal = Run(1_000_000);
        Assert.That(refusal.ExitCode, Is.EqualTo(1), refusal.ToString());
        var parts = Regex.Match(refusal.Error, @"needs ([\d.]+) MB .*\(weights ([\d.]+) MB");
        var (need, weights) = (double.Parse(parts.Groups[1].Value, CultureInfo.InvariantCulture), double.Parse(parts.Groups[2].Value, CultureInfo.InvariantCulture));
        Assert.That(weights, quantized ? Is.LessThan(4) : Is.GreaterThan(10));
        // What is not worth counting: vectors, tables of rotations, the step's input.
        const double Slack = 0.5;
        var outcome = Run((long)((need + Slack) * 1e6));
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
    }

    /// <summary>On the processor codes are multiplied where the file is mapped: a step needs little memory of its own, whatever the matrices' size.</summary>
    [Test]
    public void No_matrix_becomes_numbers_in_memory()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("what memory a process has of its own is read from /proc");
        var (checkpoint, packed) = (Path.Combine(folder, "big"), Path.Combine(folder, "big.weft"));
        BigCheckpoint.Create(checkpoint);
        var convert = WeftProcess.Run("convert", checkpoint, "--quant", "int4", "-o", packed);
        Assert.That(convert.ExitCode, Is.Zero, convert.ToString());
        var before = OwnMemory();
        var peak = before;
        using var done = new ManualResetEventSlim();
        var watch = new Thread(() =>
        {
            while (!done.Wait(1))
                peak = Math.Max(peak, OwnMemory());
        });
        watch.Start();
        using (var model = Model.Load(packed, new ModelOptions { Device = new DeviceChoice(DeviceKind.Cpu) }))
        {
            using var sequence = model.CreateSequence();
            var logits = new float[model.Header.Model.VocabularySize];
            sequence.Forward([.. Enumerable.Range(0, 64)], LogitRows.Last, logits);
            sequence.Forward([1], LogitRows.Last, logits);
        }

        done.Set();
        watch.Join();
        // Gate and up of one layer are 67 million weights: 134 MB as 16-bit numbers.
        Assert.That((peak - before) / 1e6, Is.LessThan(50));
    }

    /// <summary>Bytes that no file backs.</summary>
    private static long OwnMemory() => 1024 * long.Parse(
        Regex.Match(File.ReadAllText("/proc/self/status"), @"RssAnon:\s+(\d+) kB").Groups[1].Value, CultureInfo.InvariantCulture);

    [TestCase("--quant", "int3", "--quant int3 is not supported; use int4")]
    [TestCase("--quant int4 --method", "gptq", "--method gptq is not supported; use rtn")]
    [TestCase("--quant int4 --group-size", "48", "--group-size 48 is not supported; use 32, a multiple of 64")]
    [TestCase("--quant int4 --group-size", "0", "--group-size 0 is not supported")]
    [TestCase("--group-size", "64", "--method and --group-size belong to --quant")]
    public void Wrong_ways_to_quantize_are_named(string options, string value, string message)
    {
        var outcome = InProcess.Run(["convert", WeftProcess.Bard, .. options.Split(' '), value, "-o", Path.Combine(folder, "a.weft")]);
        Assert.That(outcome.ExitCode, Is.Not.Zero);
        Assert.That(outcome.Error, Does.Contain(message));
        Assert.That(Directory.EnumerateFileSystemEntries(folder), Is.Empty);
    }

    /// <summary>Nats a token of a text that the model has not seen, some windows of it.</summary>
    private static double Loss(string model)
    {
        const int Characters = 30_000;
        var text = TestModels.NewPath(".txt");
        File.WriteAllText(text, File.ReadAllText(Path.Combine(WeftProcess.Bard, "heldout.txt"))[..Characters]);
        var outcome = WeftProcess.Run("eval", model, "--text", text, "--device", "cpu");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        return double.Parse(Regex.Match(outcome.Out, @"loss\s+([\d.]+)").Groups[1].Value, CultureInfo.InvariantCulture);
    }
}

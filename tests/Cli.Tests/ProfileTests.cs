using System.Runtime.Versioning;
using System.Text.Json;
using Weft.Reference;

namespace Weft.Cli.Tests;

/// <summary><c>weft profile static</c>, with the real compiler where there is one.</summary>
[TestFixture]
[UnsupportedOSPlatform("windows")]
public sealed class ProfileTests
{
    private string folder = "";

    [SetUp]
    public void CreateFolder()
    {
        folder = TestModels.NewPath();
        Directory.CreateDirectory(folder);
    }

    [Test]
    public void The_report_says_what_each_instance_takes()
    {
        var json = Path.Combine(folder, "kernels.json");
        var outcome = Profile("profile", "static", "--arch", "sm_80,sm_90a", "--kernel", "weft::norm<", "--json", json);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        using var report = JsonDocument.Parse(File.ReadAllText(json));
        var rows = report.RootElement.GetProperty("rows").EnumerateArray().ToList();
        string Of(JsonElement row, string name) => row.GetProperty(name).GetString()!;
        Assert.That(rows.Select(row => Of(row, "target")).Distinct(), Is.SupersetOf(new[] { "sm_80", "sm_90a", "A100", "H200" }));
        Assert.That(rows.Select(row => Of(row, "instance")), Has.All.StartsWith("weft::norm<"));
        foreach (var row in rows.Where(row => Of(row, "shape").Length == 0))
        {
            var metrics = row.GetProperty("metrics");
            Assert.That(metrics.GetProperty("registers").GetInt32(), Is.InRange(1, 255), row.ToString());
            Assert.That(metrics.GetProperty("threads").GetInt32(), Is.EqualTo(256), row.ToString());
            Assert.That(metrics.GetProperty("code_bytes").GetInt32(), Is.GreaterThan(1000), row.ToString());
            Assert.That(metrics.GetProperty("ptx_global").GetInt32(), Is.GreaterThan(1), row.ToString());
        }

        Assert.That(outcome.Out, Does.Contain("sm_80:").And.Contain("sm_90a:").And.Contain(" 0 failed, 0 spill"));
    }

    [Test]
    public void What_is_known_is_not_compiled_again_but_what_changed_is()
    {
        CopyKernels();
        var (first, second) = (Path.Combine(folder, "first.json"), Path.Combine(folder, "second.json"));
        string[] arguments = ["profile", "static", "--arch", "sm_80", "--kernel", "weft::embedding<"];
        Outcome Run(params string[] more) => Profile([("WEFT_KERNELS", folder)], [.. arguments, .. more]);
        Assert.That(Run("--json", first).Out, Does.Contain(" 0 known from before"));

        var again = Run("--known", first, "--json", second);
        Assert.That(again.Out, Does.Contain("0 of them compiled"), again.ToString());
        Assert.That(File.ReadAllText(second), Is.EqualTo(File.ReadAllText(first)));

        // A header of another kernel does not count, one of its own does.
        File.AppendAllText(Path.Combine(folder, "common", "philox.cuh"), "// changed\n");
        Assert.That(Run("--known", first).Out, Does.Contain("0 of them compiled"));
        File.AppendAllText(Path.Combine(folder, "common", "types.cuh"), "// changed\n");
        Assert.That(Run("--known", first).Out, Does.Contain(" 0 known from before"));

        // Figures of another compiler are not known, and those of another profile are refused.
        File.WriteAllText(second, File.ReadAllText(second).Replace("NVRTC 1", "NVRTC 9", StringComparison.Ordinal));
        Assert.That(Run("--known", second).Out, Does.Contain(" 0 known from before"));
        var other = Run("--known", Path.Combine(SharedData.Repository, "profiles", "sim.json"));
        Assert.That(other.ExitCode, Is.EqualTo(1), other.ToString());
        Assert.That(other.Error, Does.Contain("--known needs a static profile, and this is a profile 'sim'"));
    }

    [Test]
    public void A_kernel_that_does_not_compile_fails_the_check_with_the_compiler_s_words()
    {
        CopyKernels();
        var broken = Path.Combine(folder, "embedding.cu");
        File.AppendAllText(broken, "\nint broken = this_is_unknown;\n");
        var outcome = Profile([("WEFT_KERNELS", folder)], "profile", "static", "--arch", "sm_90a", "--kernel", "embedding");
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Out, Does.Contain("FAILED").And.Contain("embedding.cu").And.Contain("this_is_unknown"));
    }

    [Test]
    public void A_gpu_is_checked_then_timed_here_as_a_trial_on_the_software_device()
    {
        Require.Simulator();
        var goldens = Path.Combine(folder, "goldens");
        Directory.CreateDirectory(goldens);
        Directory.CreateSymbolicLink(Path.Combine(goldens, "llama"), Require.Golden("llama"));
        var outcome = WeftProcess.Run("profile", "gpu", "--device", "sim", "--out", folder, "--tests", TestProgram(12), "--goldens", goldens);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        using var report = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "gpu.json")));
        var rows = report.RootElement.GetProperty("rows").EnumerateArray().ToList();
        var kernels = rows.Select(row => row.GetProperty("kernel").GetString()!).ToList();
        Assert.That(rows.Where((_, i) => kernels[i] == "check").Select(row => row.GetProperty("shape").GetString()), Is.EqualTo(new[] { "kernels", "llama bf16", "llama f16" }));
        Assert.That(kernels.Distinct(), Is.EquivalentTo(new[]
            {
                "ceilings", "check", "embedding", "gemv", "gemv, gated", "gemm", "gemm, gated", "quantized_gemv int4", "quantized_gemv int4, gated", "quantized_gemm int4", "quantized_gemm int4, gated", "quantized_gemm int4, mma.sync", "quantized_gemm int4, gated, mma.sync", "norm", "rotary_cache_write", "attention_decode",
                "sample", "attention_prefill", "attention_prefill, mma.sync", "activation, gated", "copy_rows", "copy_heads", "virtual_rows", "virtual_keys", "dequantize int4", "cuBLAS", "dequantize int4 + cuBLAS", "prefill tiny", "decode tiny",
                "prefill, batch may matter tiny", "prefill tiny int4", "decode tiny int4", "prefill, batch may matter tiny int4",
                "token_shift", "average", "decay", "delta_rule", "convolution", "scan", "scan, by head", "mix", "lerp", "gate", "bonus",
                "route", "sort_assignments", "gemv, experts", "gemm, experts", "combine", "head_linear", "latent_write", "attention_latent",
            }));
        foreach (var row in rows.Where((_, i) => kernels[i] is not ("ceilings" or "check")))
        {
            Assert.That(row.GetProperty("metrics").GetProperty("time_us").GetDouble(), Is.Positive);
            Assert.That(row.GetProperty("samples").GetProperty("time_us").GetArrayLength(), Is.GreaterThan(4));
        }

        foreach (var row in rows.Where((_, i) => kernels[i] == "decode tiny"))
            Assert.That(row.GetProperty("metrics").GetProperty("launches").GetInt32(), Is.EqualTo(1 + (2 * 6) + 3), "embedding, two layers of six, gathered rows, head, draw");
        using var trace = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "trace.json")));
        Assert.That(
            trace.RootElement.GetProperty("traceEvents").EnumerateArray().Where(e => e.GetProperty("ph").GetString() == "M").Select(e => e.GetProperty("args").GetProperty("name").GetString()),
            Does.Contain("tiny prefill, batch 1").And.Contain("tiny decode, batch 3").And.Contain("tiny int4 prefill, batch may matter, batch 1"));
        Assert.That(outcome.Out, Does.Contain("software CUDA device").And.Contain("of ceiling"));
        Assert.That(File.ReadAllText(Path.Combine(folder, "gpu.md")), Does.Contain("| llama bf16 | passed |").And.Contain("| tiny | decode | 3 |")
            .And.Match(@"\| tiny down 16×128×256 \| quantized_gemm int4, mma.sync \|.* %").And.Match(@"\| tiny: 128×256 int4, groups of 128, added: .*(mma.sync|wgmma|cuBLAS) to 64 rows"));
    }

    [Test]
    public void A_gpu_that_fails_a_check_is_still_timed_and_fails_the_profile()
    {
        Require.Simulator();
        var outcome = WeftProcess.Run("profile", "gpu", "--device", "sim", "--out", folder, "--tests", TestProgram(12, exitCode: 2));
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(File.ReadAllText(Path.Combine(folder, "gpu.md")), Does.Contain("| kernels | failed |").And.Contain("| checkpoints | skipped |"));
    }

    [TestCase("--tests", "/nowhere/tests", "/nowhere/tests")]
    [TestCase("--goldens", "/nowhere/goldens", "there is no folder '/nowhere/goldens'")]
    [TestCase("--out", "/dev/null/out", "/dev/null")]
    public void A_path_that_leads_nowhere_is_named(string option, string path, string message)
    {
        Require.Simulator();
        var outcome = WeftProcess.Run("profile", "gpu", "--device", "sim", option, path);
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Error, Does.Contain(message).And.Not.Contain("   at "));
    }

    [TestCase("cpu", "decode at")]
    [TestCase("sim", "prefill of")]
    public void Each_node_of_a_model_is_timed(string device, string step)
    {
        if (device == "sim")
            Require.Simulator();
        var (json, trace) = (Path.Combine(folder, "model.json"), Path.Combine(folder, "trace.json"));
        // A process that has used NVIDIA's functions cannot use the software device.
        var outcome = WeftProcess.Run("profile", "model", Require.Golden("llama2-gqa"), "--device", device, "--json", json, "--trace", trace);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out, Does.Contain(step).And.Contain("query+key+value").And.Contain("gate+up").And.Contain(" head ").And.Contain(" draw "));
        using var document = JsonDocument.Parse(File.ReadAllText(json));
        var rows = document.RootElement.GetProperty("rows").EnumerateArray().ToList();
        Assert.That(rows.Select(row => row.GetProperty("shape").GetString()!.Split(' ')[0]).Distinct(), Is.EqualTo(new[] { "prefill", "decode" }));
        Assert.That(rows.Select(row => row.GetProperty("kernel").GetString()), Does.Contain("layer 1 attention"));
        Assert.That(rows.Select(row => row.GetProperty("metrics").GetProperty("time_us").GetDouble()), Has.All.Positive);
        Assert.That(InProcess.Run("profile", "compare", json, json).ExitCode, Is.Zero);
        using var timeline = JsonDocument.Parse(File.ReadAllText(trace));
        var slices = timeline.RootElement.GetProperty("traceEvents").EnumerateArray().Where(e => e.GetProperty("ph").GetString() == "X").ToList();
        Assert.That(slices, Has.Count.GreaterThanOrEqualTo(rows.Count));
    }

    [TestCase("profile", "model")]
    [TestCase("profile", "model", "one", "two")]
    [TestCase("profile", "model", "no-such-model")]
    public void A_model_profile_needs_one_model(params string[] arguments) => Assert.That(InProcess.Run(arguments).ExitCode, Is.EqualTo(1));

    [TestCase("profile", "gpu", "--device", "tpu", 1)]
    public void A_device_that_kernels_cannot_be_timed_on_is_named(string verb, string what, string option, string device, int exitCode) =>
        Assert.That(InProcess.Run([verb, what, option, device]).ExitCode, Is.EqualTo(exitCode));

    [TestCase("profile", "everything")]
    [TestCase("profile")]
    [TestCase("profile", "static", "--architecture", "sm_80")]
    public void Wrong_arguments_are_named(params string[] arguments) => Assert.That(InProcess.Run(arguments).ExitCode, Is.EqualTo(2));

    [TestCase("volta")]
    [TestCase("sm_10")]
    public void An_unknown_architecture_is_named(string name)
    {
        var outcome = InProcess.Run("profile", "static", "--arch", $"sm_80,{name}");
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain($"'{name}' is not an architecture that is profiled; those are sm_75, sm_80"));
    }

    [Test]
    public void A_name_that_no_kernel_has_is_named()
    {
        var outcome = InProcess.Run("profile", "static", "--kernel", "transmogrify");
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("'transmogrify'"));
    }

    private void CopyKernels()
    {
        var source = Path.Combine(SharedData.Repository, "kernels");
        foreach (var file in Directory.EnumerateFiles(source, "*.cu*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(folder, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    /// <summary>Stands for the kernel tests: says how they ended.</summary>
    private string TestProgram(int succeeded, int exitCode = 0)
    {
        var path = Path.Combine(folder, "tests.sh");
        File.WriteAllText(path, $"#!/bin/sh\nprintf '  failed: {exitCode}\\n  succeeded: {succeeded}\\n  skipped: 3\\n'\nexit {exitCode}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return path;
    }

    private static Outcome Profile(params string[] arguments) => Profile([], arguments);

    private static Outcome Profile((string Name, string? Value)[] environment, params string[] arguments)
    {
        var outcome = WeftProcess.Run(arguments, "", environment);
        if (outcome.Error.Contains("cannot be compiled on this machine", StringComparison.Ordinal))
            Assert.Ignore(outcome.Error.Trim());
        return outcome;
    }
}

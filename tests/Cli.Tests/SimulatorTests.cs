using Weft.Interop;

namespace Weft.Cli.Tests;

/// <summary>Reference checkpoints of the LLaMA lineage and recurrent ones through the whole CUDA path, on the software device.</summary>
[TestFixture]
public sealed class SimulatorTests
{
    private static readonly string[] Goldens = ["llama", "llama2-gqa", "llama3", "mistral", "qwen2", "deepseek-coder", "llama-yarn", "internlm", "rwkv4", "qwen-ntk", "llama-dynamic-ntk", "deepseek-v2", "chatglm2-6b", "chatglm-6b"];

    [Test]
    public void A_golden_verifies([ValueSource(nameof(Goldens))] string golden, [Values("bf16", "f16")] string activations) =>
        Verify(golden, activations, "1");

    [TestCase("mixtral", "f16")]
    [TestCase("qwen2-moe", "bf16")]
    [TestCase("qwen3-moe", "bf16")]
    [TestCase("deepseek-v2", "bf16")]
    [TestCase("gpt-oss", "f16")]
    [TestCase("gpt-oss-mxfp4", "bf16")]
    public void A_mixture_of_experts_verifies(string golden, string activations) => Verify(golden, activations, "1");

    [TestCase("t5", "f16")]
    [TestCase("flan-t5", "f16")]
    [TestCase("mt5", "f16")]
    [TestCase("bart", "bf16")]
    [TestCase("nllb", "bf16")]
    public void A_golden_with_an_encoder_verifies(string golden, string activations) => Verify(golden, activations, "1");

    /// <summary>Rounding Mamba's float32 weights to f16 alone costs more than f16's own bound (docs/kernels.md): the bound is that of 16-bit activations in general.</summary>
    [Test]
    public void A_state_space_verifies_in_the_type_that_it_takes() => Verify("mamba", "1");

    [Test]
    public void Any_order_of_warps_gives_the_golden([Values("2", "3")] string seed) => Verify("llama3", "f16", seed);

    [Test]
    public void Text_is_generated_on_the_software_device()
    {
        Require.Simulator();
        var outcome = WeftProcess.Run("run", TestModels.Packed, "ROMEO:", "--greedy", "-n", "8", "--device", "sim");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        var cpu = WeftProcess.Run("run", TestModels.Packed, "ROMEO:", "--greedy", "-n", "8", "--device", "cpu");
        Assert.That(outcome.Out, Is.EqualTo(cpu.Out));
    }

    [Test]
    public void A_gpu_that_is_not_there_is_one_sentence()
    {
        if (CudaLibraries.Probe()[0].Path is not null)
            Assert.Ignore("this machine has a CUDA driver");
        var outcome = WeftProcess.Run("run", TestModels.Packed, "a", "--device", "cuda");
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Error, Does.Contain("CUDA driver").And.Contain("was not found").And.Not.Contain("   at "));
    }

    [TestCase("WEFT_SIM_DRIVER", "11040", "supports CUDA 11.4; Weft needs 11.8")]
    [TestCase("WEFT_SIM_ARCH", "70", "compute capability 7.0; the kernels need 7.5")]
    [TestCase("WEFT_SIM_MEMORY", "1000000", "are free")]
    public void An_unfit_device_is_refused_with_the_reason(string variable, string value, string reason)
    {
        Require.Simulator();
        var outcome = WeftProcess.Run(["run", TestModels.Packed, "a", "--device", "sim"], "", (variable, value));
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Error, Does.Contain(reason).And.Not.Contain("   at "));
    }

    [TestCase("70", false)]
    [TestCase("75", true)]
    [TestCase("86", true)]
    public void Older_architectures_run(string architecture, bool runs)
    {
        Require.Simulator();
        var outcome = WeftProcess.Run(["verify", Require.Golden("llama"), "--device", "sim"], "", ("WEFT_SIM_ARCH", architecture));
        Assert.That(outcome.ExitCode == 0, Is.EqualTo(runs), outcome.ToString());
    }

    private static void Verify(string golden, string activations, string seed) => Verify(golden, seed, "--activations", activations);

    private static void Verify(string golden, string seed, params string[] options)
    {
        Require.Simulator();
        var outcome = WeftProcess.Run(["verify", Require.Golden(golden), "--device", "sim", .. options], "", ("WEFT_SIM_SEED", seed));
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
    }
}

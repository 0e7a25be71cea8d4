using System.Globalization;
using Weft.Convert.Tests.Support;

namespace Weft.Convert.Tests;

/// <summary>The converter's own executable: exit codes, what goes to which stream, Ctrl-C, and memory.</summary>
[TestFixture]
public sealed class ExecutableTests
{
    [Test]
    public void Help_goes_to_standard_output_with_an_example()
    {
        var (code, output, error) = ConvertProcess.Run("--help");
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.Zero);
            Assert.That(output, Does.Contain("--dtype").And.Contain("--output").And.Contain("Example").And.Contain("Qwen2ForCausalLM"));
            Assert.That(error, Is.Empty);
        });
    }

    [TestCase("", "SRC")]
    [TestCase("somewhere --frobnicate", "frobnicate")]
    [TestCase("somewhere --dtype", "--dtype needs a value")]
    [TestCase("somewhere elsewhere", "'elsewhere'")]
    public void Wrong_arguments_end_with_2(string arguments, string thing)
    {
        var (code, output, error) = ConvertProcess.Run(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(2), error);
            Assert.That(output, Is.Empty);
            Assert.That(error, Does.Contain(thing));
        });
    }

    [Test]
    public void A_conversion_ends_with_one_line()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["convert"]); // a folder may be called as the verb is
        var (code, output, error) = ConvertProcess.Run(scratch["convert"], "-o", scratch["out.weft"], "--dtype", "f32");
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.Zero, error);
            Assert.That(output.TrimEnd(), Does.StartWith(scratch["out.weft"]).And.Contain("LlamaForCausalLM, 21 tensors").And.Not.Contains('\n'));
            Assert.That(error, Is.Empty);
            Assert.That(Directory.EnumerateFiles(scratch.Root), Is.EqualTo(new[] { scratch["out.weft"] }));
        });
    }

    [Test]
    public void An_error_is_one_sentence_and_a_stack_trace_only_on_request([Values] bool verbose)
    {
        using var scratch = new ScratchFolder();
        string[] arguments = [scratch["missing"], "-o", scratch["out.weft"]];
        var (code, output, error) = ConvertProcess.Run(verbose ? [.. arguments, "--verbose"] : arguments);
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(1));
            Assert.That(output, Is.Empty);
            Assert.That(error, Does.Contain(scratch["missing"]));
            Assert.That(error.TrimEnd().Contains('\n'), Is.EqualTo(verbose));
            Assert.That(error.Contains("   at Weft.", StringComparison.Ordinal), Is.EqualTo(verbose));
            Assert.That(Directory.EnumerateFileSystemEntries(scratch.Root), Is.Empty);
        });
    }

    [Test]
    public void An_unknown_type_is_refused()
    {
        var (code, _, error) = ConvertProcess.Run("anywhere", "--dtype", "f8");
        Assert.That(code, Is.Not.Zero);
        Assert.That(error, Does.Contain("f8").And.Contain("bf16, f16 or f32"));
    }

    [Test]
    public void An_interrupt_leaves_nothing_behind()
    {
        using var scratch = new ScratchFolder();
        LargeCheckpoint.Write(scratch["large"]);
        Directory.CreateDirectory(scratch["out"]);
        using var process = ConvertProcess.Start(scratch["large"], "-o", Path.Combine(scratch["out"], "out.weft"));
        while (!process.HasExited && !Directory.EnumerateFiles(scratch["out"]).Any())
            Thread.Sleep(2);
        ConvertProcess.Interrupt(process);
        var (code, output, error) = ConvertProcess.Finish(process);
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(130), output + error);
            Assert.That(error.TrimEnd(), Is.EqualTo("weft-convert: stopped"));
            Assert.That(Directory.EnumerateFileSystemEntries(scratch["out"]), Is.Empty);
        });
    }

    [Test]
    public void Memory_stays_below_the_promise()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("a process's peak memory is read from /proc");
            return;
        }

        using var scratch = new ScratchFolder();
        LargeCheckpoint.Write(scratch["large"]);
        using var process = ConvertProcess.Start(scratch["large"], "-o", scratch["out.weft"]);
        var peak = 0L;
        while (!process.HasExited)
        {
            peak = Math.Max(peak, PeakMemory(process.Id));
            Thread.Sleep(10);
        }

        var (code, _, error) = ConvertProcess.Finish(process);
        Assert.That(code, Is.Zero, error);
        TestContext.Out.WriteLine($"peak memory {peak / 1e6:f0} MB");
        Assert.That(peak, Is.GreaterThan(0).And.LessThan((1.5 * LargeCheckpoint.LargestTensor) + 200e6));
    }

    /// <summary>The most memory that was resident so far, in bytes; 0 when the process has just ended.</summary>
    private static long PeakMemory(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}

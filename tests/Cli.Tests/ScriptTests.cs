using System.Diagnostics;
using System.Runtime.Versioning;
using Weft.Reference;

namespace Weft.Cli.Tests;

/// <summary>The <c>weft</c> script and the test runner, in a small copy of the repository with a dotnet that only pretends.</summary>
[TestFixture]
[Platform(Exclude = "Win", Reason = "the script is bash")]
[UnsupportedOSPlatform("windows")]
public sealed class ScriptTests
{
    private const string PretendDotnet = """
        #!/usr/bin/env bash
        case ${1-} in
            --version) [[ -z ${PRETEND_OLD-} ]] && echo 10.0.100 ;;
            build)
                echo build >>"$PRETEND_LOG"
                if [[ -n ${PRETEND_BROKEN-} ]]; then echo 'X.cs(1,1): error CS1002: ; expected'; exit 1; fi
                sleep 0.3
                mkdir -p artifacts/bin/Cli/release && touch artifacts/bin/Cli/release/weft.dll ;;
            test)
                echo "test $*" >>"$PRETEND_LOG"
                printf '%s' "$PRETEND_TRX" >artifacts/test-results/a.trx
                exit "${PRETEND_STATUS-0}" ;;
            *) echo "ran ${*:2}" ;;
        esac
        """;

    private const string PretendCmake = """
        #!/usr/bin/env bash
        echo "cmake $1" >>"$PRETEND_LOG"
        if [[ -n ${PRETEND_BROKEN_SIMULATOR-} ]]; then echo 'driver.cc:1:1: error: expected'; exit 1; fi
        if [[ $1 == --build ]]; then mkdir -p "$(dirname "$PRETEND_SIMULATOR")" && touch "$PRETEND_SIMULATOR"; fi
        """;

    private string root = "";

    private string Log => Path.Combine(root, "log");

    [SetUp]
    public void CreateCopy()
    {
        root = TestModels.NewPath();
        foreach (var folder in (string[])["src/Cli", "tools", "kernels", "tests", "simulator", "bin"])
            Directory.CreateDirectory(Path.Combine(root, folder));
        foreach (var file in (string[])["weft", "tests/run.sh", "simulator/build.sh", "global.json", "Directory.Build.props", "Directory.Packages.props"])
            File.Copy(Path.Combine(SharedData.Repository, file), Path.Combine(root, file));
        File.WriteAllText(Path.Combine(root, "src/Cli/Program.cs"), "");
        File.WriteAllText(Path.Combine(root, "CMakeLists.txt"), "");
        foreach (var (name, text) in (ReadOnlySpan<(string, string)>)[("dotnet", PretendDotnet), ("cmake", PretendCmake), ("g++", "")])
        {
            File.WriteAllText(Path.Combine(root, "bin", name), text);
            File.SetUnixFileMode(Path.Combine(root, "bin", name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        File.WriteAllText(Log, "");
    }

    [Test]
    public void The_first_use_builds_and_the_second_does_not()
    {
        var first = Run(["run", "a model", "--greedy"]);
        Assert.That(first.ExitCode, Is.Zero, first.ToString());
        Assert.That(first.Out, Is.EqualTo("ran run a model --greedy\n"));
        Assert.That(first.Error, Is.EqualTo("weft: building (Release) …\n"));
        Assert.That(Run(["doctor"]).Error, Is.Empty);
        Assert.That(File.ReadAllLines(Log), Is.EqualTo(new[] { "build" }));
    }

    [TestCase("src/Cli/Program.cs")]
    [TestCase("tools/New.cs")]
    [TestCase("kernels/norm.cu")]
    [TestCase("global.json")]
    public void A_newer_source_is_built(string source)
    {
        Run(["doctor"]);
        File.AppendAllText(Path.Combine(root, source), "\n");
        Assert.That(Run(["doctor"]).Error, Does.Contain("building"));
        Assert.That(Run(["doctor"]).Error, Is.Empty);
    }

    [Test]
    public void A_deleted_source_is_noticed()
    {
        Run(["doctor"]);
        File.Delete(Path.Combine(root, "src/Cli/Program.cs"));
        Assert.That(Run(["doctor"]).Error, Does.Contain("building"));
    }

    [Test]
    public void Concurrent_first_uses_build_once()
    {
        var processes = Enumerable.Range(0, 4).Select(_ => Start(["doctor"])).ToArray();
        foreach (var process in processes)
        {
            Assert.That(WeftProcess.Finish(process), Has.Property(nameof(Outcome.ExitCode)).Zero);
            process.Dispose();
        }

        Assert.That(File.ReadAllLines(Log), Is.EqualTo(new[] { "build" }));
    }

    [Test]
    public void It_works_through_a_link_from_another_folder()
    {
        var link = Path.Combine(root, "bin", "linked");
        File.CreateSymbolicLink(link, Path.Combine("..", "weft"));
        using var process = WeftProcess.StartCommand("bash", [link, "doctor"], Environment());
        Assert.That(WeftProcess.Finish(process).Out, Is.EqualTo("ran doctor\n"));
    }

    [Test]
    public void Compiler_errors_are_shown()
    {
        var outcome = Run(["doctor"], ("PRETEND_BROKEN", "1"));
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("error CS1002").And.Contain("weft: the build failed"));
        Assert.That(Run(["doctor"]).ExitCode, Is.Zero, "the next use builds again");
    }

    [Test]
    public void An_old_SDK_is_named()
    {
        var outcome = Run(["doctor"], ("PRETEND_OLD", "1"));
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("install the .NET 10 SDK"));
    }

    [Test]
    public void A_missing_SDK_is_named()
    {
        // A PATH with what the script needs and no dotnet.
        var tools = Path.Combine(root, "tools-only");
        Directory.CreateDirectory(tools);
        foreach (var tool in (string[])["readlink", "dirname", "find"])
            File.CreateSymbolicLink(Path.Combine(tools, tool), $"/usr/bin/{tool}");
        using var process = WeftProcess.StartCommand(
            "/bin/bash", [Path.Combine(root, "weft"), "doctor"], ("PATH", tools), ("HOME", root), ("DOTNET_ROOT", null));
        var outcome = WeftProcess.Finish(process);
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Match(@"\Aweft: the \.NET 10 SDK is needed[^\n]*\n\z"));
    }

    [TestCase("total=\"12\" executed=\"10\" passed=\"10\" failed=\"0\"", "0", "10 passed, 0 failed, 2 skipped", 0)]
    [TestCase("total=\"12\" executed=\"10\" passed=\"7\" failed=\"3\"", "1", "7 passed, 3 failed, 2 skipped", 1)]
    [TestCase("total=\"3\" executed=\"3\" passed=\"2\" failed=\"0\" error=\"1\"", "0", "2 passed, 1 failed, 0 skipped", 1)]
    [TestCase("total=\"5\" executed=\"5\" passed=\"5\" failed=\"0\"", "1", "5 passed, 0 failed, 0 skipped", 1)]
    [TestCase("total=\"0\" executed=\"0\" passed=\"0\" failed=\"0\"", "0", "0 passed, 0 failed, 0 skipped", 1)]
    public void Test_counts_come_from_the_result_files(string counters, string status, string last, int exitCode)
    {
        var outcome = Run(["test", "--filter", "Name~X"], ("PRETEND_TRX", $"<R><Counters {counters} /></R>"), ("PRETEND_STATUS", status));
        Assert.That(outcome.ExitCode, Is.EqualTo(exitCode), outcome.ToString());
        Assert.That(outcome.Out.TrimEnd('\n').Split('\n')[^1], Is.EqualTo(last));
        Assert.That(File.ReadAllText(Log), Does.Contain("--filter Name~X"));
    }

    [Test]
    public void Failed_tests_are_named_directly_before_the_counts()
    {
        const string Results = """
            <R><T><UnitTestResult testId="1" testName="Good" outcome="Passed" /><UnitTestResult testId="2" testName="Bad(&quot;a &amp; b&quot;)" outcome="Failed">
            <StdOut>&lt;UnitTest id="1"&gt;</StdOut></UnitTestResult><UnitTestResult testId="3" testName="Left" outcome="NotExecuted" /></T>
            <D><UnitTest name="Good" id="1"><TestMethod className="Some.Tests" name="Good" /></UnitTest>
            <UnitTest name="Bad" id="2"><TestMethod className="Some.Tests" name="Bad(&quot;a &amp; b&quot;)" /></UnitTest>
            <UnitTest name="Left" id="3"><TestMethod className="Some.Tests" name="Left" /></UnitTest></D>
            <Counters total="3" executed="2" passed="1" failed="1" /></R>
            """;
        var outcome = Run(["test"], ("PRETEND_TRX", Results), ("PRETEND_STATUS", "1"));
        Assert.That(outcome.Out, Does.EndWith("failed: Some.Tests.Bad(\"a & b\")\n1 passed, 1 failed, 1 skipped\n"));
        Assert.That(outcome.Out.Split('\n').Count(line => line.StartsWith("failed: ", StringComparison.Ordinal)), Is.EqualTo(1));
    }

    [TestCase("--device", "sim")]
    [TestCase("--device=sim")]
    public void The_software_device_is_built_on_first_use(params string[] device)
    {
        var first = Run(["run", "a model", .. device]);
        Assert.That(first.ExitCode, Is.Zero, first.ToString());
        Assert.That(first.Error, Does.EndWith("weft: building the software CUDA device …\n"));
        Assert.That(Run(["run", "a model", .. device]).Error, Is.Empty);
        File.AppendAllText(Path.Combine(root, "CMakeLists.txt"), "\n");
        Assert.That(Run(["run", "a model", .. device]).Error, Is.EqualTo("weft: building the software CUDA device …\n"));
    }

    [Test]
    public void Other_devices_build_no_software_device()
    {
        Run(["run", "a model", "--device", "cpu", "--", "--device", "sim"]);
        Assert.That(File.ReadAllText(Log), Does.Not.Contain("cmake"));
    }

    [Test]
    public void Without_a_compiler_the_tests_run_and_say_what_is_missing()
    {
        var tools = Path.Combine(root, "tools-only");
        Directory.CreateDirectory(tools);
        foreach (var tool in (string[])["bash", "readlink", "dirname", "find", "rm", "mkdir", "cat", "tr", "awk", "sleep", "touch", "grep", "sort", "xargs"])
            File.CreateSymbolicLink(Path.Combine(tools, tool), $"/usr/bin/{tool}");
        File.Copy(Path.Combine(root, "bin/dotnet"), Path.Combine(tools, "dotnet"));
        using var process = WeftProcess.StartCommand(
            "/bin/bash", [Path.Combine(root, "weft"), "test"], ("PATH", tools), ("PRETEND_LOG", Log),
            ("PRETEND_TRX", "<R><Counters total=\"2\" executed=\"1\" passed=\"1\" failed=\"0\" /></R>"));
        var outcome = WeftProcess.Finish(process);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Error, Does.Contain("cannot be built without cmake g++ (apt-get install cmake g++)").And.Contain("are skipped"));
    }

    [Test]
    public void A_software_device_that_does_not_build_fails_the_tests()
    {
        var outcome = Run(["test"], ("PRETEND_BROKEN_SIMULATOR", "1"), ("PRETEND_TRX", "<R><Counters total=\"1\" executed=\"1\" passed=\"1\" failed=\"0\" /></R>"));
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("driver.cc:1:1: error").And.Contain("does not build"));
    }

    private Outcome Run(string[] arguments, params (string Name, string? Value)[] environment)
    {
        using var process = Start(arguments, environment);
        return WeftProcess.Finish(process);
    }

    private Process Start(string[] arguments, params (string Name, string? Value)[] environment) =>
        WeftProcess.StartCommand("bash", [Path.Combine(root, "weft"), .. arguments], [.. Environment(), .. environment]);

    private (string Name, string? Value)[] Environment() =>
    [
        ("PATH", $"{root}/bin:{System.Environment.GetEnvironmentVariable("PATH")}"),
        ("PRETEND_LOG", Log),
        ("PRETEND_SIMULATOR", Path.Combine(root, "artifacts/simulator/libcudasim.so")),
    ];
}

using System.Runtime.Versioning;
using Weft.Kernels.Tests.Support;
using Weft.Profile.Gpu;

namespace Weft.Kernels.Tests.Profile;

/// <summary>How <c>weft profile gpu</c> reads the end of the kernel tests.</summary>
[TestFixture]
[UnsupportedOSPlatform("windows")]
public sealed class CorrectnessCheckTests
{
    [TestCase("succeeded: 12\n  failed: 0\n  skipped: 3", 0, CheckOutcome.Passed, "12 succeeded, 0 failed, 3 skipped")]
    [TestCase("succeeded: 12\n  failed: 2\n  skipped: 3", 2, CheckOutcome.Failed, "12 succeeded, 2 failed, 3 skipped")]
    [TestCase("succeeded: 0\n  failed: 0\n  skipped: 15", 0, CheckOutcome.Failed, "0 succeeded, 0 failed, 15 skipped")]
    [TestCase("succeeded: 12\n", 0, CheckOutcome.Failed, "it ended without saying how many tests passed")]
    public void A_run_passes_that_ends_well_and_ran_a_test(string end, int exitCode, CheckOutcome outcome, string summary)
    {
        using var folder = new ScratchFolder();
        var program = folder["tests.sh"];
        File.WriteAllText(program, $"#!/bin/sh\nprintf '  {end.Replace("\n", "\\n", StringComparison.Ordinal)}\\n'\nexit {exitCode}\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var rows = new CorrectnessChecks("sim", _ => { }, CancellationToken.None).Run(program, goldens: null);
        Assert.That(rows.Select(row => (row.Name, row.Outcome)), Is.EqualTo(new[] { ("kernels", outcome), ("checkpoints", CheckOutcome.Skipped) }));
        Assert.That(rows[0].Summary, Is.EqualTo(summary));
    }
}

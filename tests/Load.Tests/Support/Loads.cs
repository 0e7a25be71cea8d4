using System.Collections.Concurrent;
using Weft.Load.Report;
using Weft.Load.Workload;

namespace Weft.Load.Tests.Support;

/// <summary>Load tests of the fake server.</summary>
internal static class Loads
{
    /// <summary>A few short requests.</summary>
    public static LoadOptions Options(FakeServer server) => new()
    {
        Server = server.Address,
        Requests = 12,
        Concurrency = 4,
        PromptTokens = TokenDistribution.Constant(40),
        OutputTokens = TokenDistribution.Constant(5),
        Timeout = TimeSpan.FromSeconds(30),
    };

    /// <summary>Runs to the end.</summary>
    public static Task<LoadReport> RunAsync(LoadOptions options) => LoadGenerator.RunAsync(options, _ => { }, () => { }, CancellationToken.None);

    /// <summary>Runs to the end and collects what it remarks.</summary>
    public static async Task<(LoadReport Report, string[] Notes)> RunWithNotesAsync(LoadOptions options)
    {
        var notes = new ConcurrentQueue<string>();
        var report = await LoadGenerator.RunAsync(options, notes.Enqueue, () => { }, CancellationToken.None);
        return (report, [.. notes]);
    }

    /// <summary>A time.</summary>
    public static TimeSpan Milliseconds(double count) => TimeSpan.FromMilliseconds(count);
}

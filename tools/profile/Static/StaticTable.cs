using System.Globalization;
using Spectre.Console;

namespace Weft.Profile.Static;

/// <summary>Shows a <see cref="StaticReport"/> to people.</summary>
internal static class StaticTable
{
    private const string Mixed =
        "Counts of PTX statements are of the instance with the most code. NVRTC shows no machine code: how the assembler schedules them, and how often " +
        "a loop runs, is not in these figures.";

    /// <summary>Writes tables of an architecture each, then of launches, then the failures with their logs, then a line of judgement.</summary>
    public static void Write(IAnsiConsole console, StaticReport report)
    {
        foreach (var architecture in report.Architectures)
        {
            console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{architecture.Architecture.Name}: {architecture.Instances.Count} instances, {architecture.Instances.Count(instance => !instance.Known)} of them compiled, in {architecture.Seconds:f1} s"));
            console.Write(Resources(architecture.Instances));
            console.Write(Mix(architecture.Instances));
        }

        console.WriteLine(Mixed);
        console.WriteLine();
        Launches(console, report);
        var instances = report.Architectures.SelectMany(architecture => architecture.Instances.Select(instance => (architecture.Architecture.Name, Instance: instance))).ToList();
        foreach (var (name, instance) in instances.Where(row => row.Instance.Failure is not null))
            console.WriteLine($"FAILED {name} {instance.Instance.Source} {instance.Instance.Expression}: {instance.Failure}");
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{instances.Count} instances, {instances.Count(row => row.Instance.Known)} known from before and the others compiled with NVRTC {report.Compiler}: {instances.Count(row => row.Instance.Failure is not null)} failed, " +
            $"{instances.Count(row => row.Instance.Usage is { Spills: true })} spill, at most {instances.Max(row => row.Instance.Usage?.Registers) ?? 0} registers"));
    }

    /// <summary>One row a kernel, the most over its instances: the JSON has each.</summary>
    private static Table Resources(IReadOnlyList<InstanceReport> instances)
    {
        var table = Numbers("kernel", ["instances", "failed", "registers", "spill stores", "spill loads", "stack", "static shared", "code"]);
        foreach (var kernel in instances.GroupBy(instance => instance.Kernel))
        {
            var usages = kernel.Where(instance => instance.Usage is not null).Select(instance => instance.Usage!).DefaultIfEmpty(ResourceUsage.None).ToList();
            AddRow(table, kernel.Key,
            [
                kernel.Count(), kernel.Count(instance => instance.Failure is not null), usages.Max(u => u.Registers), usages.Max(u => u.SpillStoreBytes),
                usages.Max(u => u.SpillLoadBytes), usages.Max(u => u.StackBytes), usages.Max(u => u.StaticSharedBytes),
                kernel.Max(instance => instance.Code?.CodeBytes ?? 0),
            ]);
        }

        return table;
    }

    private static Table Mix(IReadOnlyList<InstanceReport> instances)
    {
        var table = Numbers("PTX of", CompiledCode.Kinds);
        foreach (var kernel in instances.Where(instance => instance.Code is not null).GroupBy(instance => instance.Kernel))
            AddRow(table, kernel.Key, kernel.MaxBy(instance => instance.Code!.CodeBytes)!.Code!.Mix);
        return table;
    }

    private static void Launches(IAnsiConsole console, StaticReport report)
    {
        var occupancies = report.Architectures
            .SelectMany(architecture => architecture.Occupancies(report.Kernel).Select(row => (architecture.Architecture.Name, Row: row)))
            .GroupBy(pair => (pair.Row.Workload.Kernel, pair.Row.Workload.Shape)).ToList();
        if (occupancies.Count == 0)
            return;
        console.WriteLine("Theoretical occupancy: share of a multiprocessor's warps, and what keeps more away (t: threads, r: registers, s: shared memory)");
        var table = Numbers("kernel", ["shape", .. report.Architectures.Select(architecture => architecture.Architecture.Name)]);
        foreach (var launch in occupancies)
        {
            table.AddRow([launch.Key.Kernel, launch.Key.Shape, .. report.Architectures.Select(architecture =>
                launch.FirstOrDefault(pair => pair.Name == architecture.Architecture.Name).Row is { } row
                    ? string.Create(CultureInfo.InvariantCulture, $"{row.Occupancy:P0} {char.ToLowerInvariant(row.Limit.ToString()[0])}")
                    : "")]);
        }

        console.Write(table);
        console.WriteLine("Roofline: microseconds that counted bytes and operations take at public figures of memory and arithmetic; no launch is faster");
        table = Numbers("kernel", ["shape", "MB", "GFLOP", .. GpuModel.All.Select(gpu => gpu.Name)]);
        var rows = GpuModel.All.SelectMany(gpu => StaticWorkloads.Of(gpu.Target, report.Kernel).Select(workload => (Gpu: gpu, Workload: workload)))
            .Where(pair => !pair.Workload.Kernel.Contains("mma.sync", StringComparison.Ordinal))
            .GroupBy(pair => (pair.Workload.Kernel, pair.Workload.Shape));
        foreach (var launch in rows)
        {
            var work = launch.First().Workload;
            table.AddRow(
            [
                launch.Key.Kernel, launch.Key.Shape, Figure(work.Bytes / 1e6), Figure((work.Operations + work.PlainOperations) / 1e9),
                .. launch.Select(pair => Figure(pair.Gpu.Roofline(pair.Workload.Bytes, pair.Workload.Operations, pair.Workload.PlainOperations))),
            ]);
        }

        console.Write(table);
    }

    private static string Figure(double value) => value.ToString(value < 10 ? "F2" : value < 1000 ? "F1" : "F0", CultureInfo.InvariantCulture);

    private static Table Numbers(string first, IEnumerable<string> headings)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn(first);
        foreach (var heading in headings)
            table.AddColumn(heading == "shape" ? new TableColumn(heading) : new TableColumn(heading).RightAligned());
        return table;
    }

    private static void AddRow(Table table, string first, IEnumerable<int> figures) =>
        table.AddRow([new Text(first), .. figures.Select(figure => new Text(figure.ToString(CultureInfo.InvariantCulture)))]);
}

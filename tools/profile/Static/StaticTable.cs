using System.Globalization;
using Spectre.Console;

namespace Weft.Profile.Static;

/// <summary>Shows a <see cref="StaticReport"/> to people.</summary>
internal static class StaticTable
{
    /// <summary>Writes a table an architecture, then the failures with their logs, then a line of judgement.</summary>
    public static void Write(IAnsiConsole console, StaticReport report)
    {
        foreach (var architecture in report.Architectures)
        {
            console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{architecture.Name}: {architecture.Instances.Count} instances compiled in {architecture.Seconds:f1} s"));
            console.Write(Table(architecture.Instances));
        }

        var instances = report.Architectures.SelectMany(architecture => architecture.Instances.Select(instance => (architecture.Name, Instance: instance))).ToList();
        foreach (var (name, instance) in instances.Where(row => row.Instance.Failure is not null))
            console.WriteLine($"FAILED {name} {instance.Source} {instance.Expression}: {instance.Failure}");
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{instances.Count} compilations with NVRTC {report.Compiler}: {instances.Count(row => row.Instance.Failure is not null)} failed, " +
            $"{instances.Count(row => row.Instance.Usage is { Spills: true })} spill, at most {instances.Max(row => row.Instance.Usage?.Registers) ?? 0} registers"));
    }

    /// <summary>One row a kernel, the most over its instances: the JSON has each.</summary>
    private static Table Table(IReadOnlyList<InstanceReport> instances)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("kernel");
        foreach (var heading in (string[])["instances", "failed", "registers", "spill stores", "spill loads", "stack", "static shared", "constant"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (var kernel in instances.GroupBy(instance => Template(instance.Expression)))
        {
            var usages = kernel.Where(instance => instance.Usage is not null).Select(instance => instance.Usage!).DefaultIfEmpty(ResourceUsage.None).ToList();
            int[] figures =
            [
                kernel.Count(), kernel.Count(instance => instance.Failure is not null), usages.Max(u => u.Registers), usages.Max(u => u.SpillStoreBytes),
                usages.Max(u => u.SpillLoadBytes), usages.Max(u => u.StackBytes), usages.Max(u => u.StaticSharedBytes), usages.Max(u => u.ConstantBytes),
            ];
            table.AddRow([new Text(kernel.Key), .. figures.Select(figure => new Text(figure.ToString(CultureInfo.InvariantCulture)))]);
        }

        return table;
    }

    /// <summary><c>norm</c> of <c>weft::norm&lt;weft::bf16&gt;</c>.</summary>
    private static string Template(string expression) => expression.Split('<')[0].Replace("weft::", "", StringComparison.Ordinal);
}

using System.Globalization;
using System.Text;
using System.Xml.Linq;
using Spectre.Console;
using Weft.Profile.Documents;

namespace Weft.Profile.Compare;

/// <summary>Shows a <see cref="Comparison"/>: on a console, as Markdown for a pull request, as JUnit XML for a build server.</summary>
internal sealed class CompareReport(ProfileDocument head, Comparison comparison, double threshold)
{
    private const int MostNames = 10;
    private static readonly string[] Columns = ["", "kernel", "figure", "rows", "most at", "on", "base", "head", "change"];

    /// <summary>One line for a figure of a kernel: the largest change, and how many rows changed like it. JUnit has each.</summary>
    private IEnumerable<string[]> Lines =>
        from change in comparison.Changes
        where change.Verdict != Verdict.Same
        orderby Math.Abs(change.Relative) descending
        group change by (change.Verdict, change.Row.Kernel, change.Metric.Name) into changes
        let most = changes.First()
        orderby most.Verdict == Verdict.Better, Math.Abs(most.Relative) descending
        select (string[])
        [
            most.Verdict == Verdict.Worse ? "worse" : "better", most.Row.Kernel, most.Metric.Name, changes.Count().ToString(CultureInfo.InvariantCulture),
            Of(most.Row), most.Row.Target, Number(most.Base), Number(most.Head), Percent(most),
        ];

    /// <summary>Writes the table and what it means.</summary>
    public void Write(IAnsiConsole console)
    {
        if (Lines.Any())
        {
            var table = new Table().Border(TableBorder.Simple).AddColumns(Columns);
            foreach (var line in Lines)
                table.AddRow([.. line.Select(Markup.Escape)]);
            console.Write(table);
        }

        foreach (var line in Summary())
            console.WriteLine(line);
    }

    /// <summary>The same for a page.</summary>
    public string Markdown()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"### {head.Profile} profile: {(comparison.HasRegression ? "worse" : "no regression")}\n\n");
        if (Lines.Any())
        {
            text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", Columns)} |\n|{string.Concat(Columns.Select(_ => "---|"))}\n");
            foreach (var line in Lines)
                text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", line.Select(Escape))} |\n");
            text.Append('\n');
        }

        return text.AppendJoin("\n\n", Summary()).Append('\n').ToString();
    }

    /// <summary>JUnit XML: a test for each row that both documents have; it fails where a figure is worse.</summary>
    public string JUnit()
    {
        var rows = comparison.Changes.GroupBy(change => change.Row).ToList();
        var suites = new XElement(
            "testsuites",
            from target in rows.GroupBy(row => row.Key.Target)
            select new XElement(
                "testsuite",
                new XAttribute("name", $"weft profile {head.Profile} {target.Key}"),
                new XAttribute("tests", target.Count()),
                new XAttribute("failures", target.Count(IsWorse)),
                from row in target
                select new XElement(
                    "testcase",
                    new XAttribute("classname", row.Key.Kernel),
                    new XAttribute("name", Of(row.Key)),
                    IsWorse(row) ? new XElement("failure", new XAttribute("message", string.Join("; ", row.Where(change => change.Verdict == Verdict.Worse).Select(Sentence)))) : null)));
        return $"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{suites}\n";

        static bool IsWorse(IEnumerable<Change> row) => row.Any(change => change.Verdict == Verdict.Worse);
    }

    private static string Escape(string cell) => cell.Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);

    private static string Of(ProfileRow row) => row.Shape.Length > 0 ? row.Shape : row.Instance.Replace("weft::", "", StringComparison.Ordinal);

    private static string Sentence(Change change) => $"{change.Metric.Name} {Number(change.Base)} → {Number(change.Head)} ({Percent(change)})";

    private static string Percent(Change change)
    {
        var percent = double.IsInfinity(change.Relative) ? "from none" : change.Relative.ToString("+0.0 %;−0.0 %;0 %", CultureInfo.InvariantCulture);
        return change is { Low: { } low, High: { } high }
            ? string.Create(CultureInfo.InvariantCulture, $"{percent}, 95 %: {low - 1:+0.0 %;−0.0 %} to {high - 1:+0.0 %;−0.0 %}")
            : percent;
    }

    private static string Number(double value) => value.ToString("#,0.###", CultureInfo.InvariantCulture);

    private IEnumerable<string> Summary()
    {
        var rows = comparison.Changes.Select(change => change.Row).Distinct().Count();
        int Rows(Verdict verdict) => comparison.Changes.Where(change => change.Verdict == verdict).Select(change => change.Row).Distinct().Count();
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{rows} rows compared ({string.Join(", ", head.Environment.Values)}): {Rows(Verdict.Worse)} worse, {Rows(Verdict.Better)} better; " +
            $"a figure may get {threshold:P0} worse, spills, conflicts and occupancy not at all.");
        if (comparison.Added.Count > 0)
            yield return $"{comparison.Added.Count} rows are new: {Names(comparison.Added)}.";
        if (comparison.Removed.Count > 0)
            yield return $"{comparison.Removed.Count} rows are gone: {Names(comparison.Removed)}.";
        if (comparison.Added.Count > 0 || comparison.Removed.Count > 0 || Rows(Verdict.Better) > 0)
            yield return "A new baseline would hold this: write it with --json.";
    }

    private static string Names(IReadOnlyList<ProfileRow> rows)
    {
        var names = rows.Select(row => $"{row.Kernel} {Of(row)} on {row.Target}").ToList();
        return string.Join("; ", names.Take(MostNames)) + (names.Count > MostNames ? $" and {names.Count - MostNames} more" : "");
    }
}

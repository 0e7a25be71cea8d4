using System.Globalization;
using System.Xml.Linq;
using Weft.Profile.Documents;
using Weft.Profile.Static;

namespace Weft.Profile.Report;

/// <summary>
/// <c>weft profile report</c>: documents of any profile as one page that needs nothing else. The last document of each profile is shown,
/// those before it are its history.
/// </summary>
internal sealed class HtmlReport
{
    private static readonly string[] Shown = ["H200", "A100", "L4", "RTX 4090"];

    private readonly IReadOnlyList<ProfileDocument> documents;
    private readonly IReadOnlyList<string> series;

    /// <param name="documents">The oldest first.</param>
    public HtmlReport(IReadOnlyList<ProfileDocument> documents)
    {
        this.documents = documents;
        series = [.. documents.SelectMany(document => document.Rows).Where(HasRoofline).Select(row => row.Kernel).Distinct()];
    }

    /// <summary>The page.</summary>
    public string Page()
    {
        var body = new XElement(
            "body",
            new XElement("h1", "Kernels"),
            new XElement("ul", documents.GroupBy(document => document.Profile).Select(group => new XElement(
                "li", $"{group.Key}: {string.Join(", ", group.Last().Environment.Values)}; {group.Last().Rows.Count} rows{(group.Count() > 1 ? $"; history of {group.Count()} files" : "")}"))),
            Rooflines(),
            Section("static", "Occupancy", "Share of a multiprocessor's warps that a launch keeps there: of threads, registers and shared memory, the scarcest decides.", Occupancy),
            Section("static", "Registers and code", "The most over all instances of a kernel.", Registers),
            Section("sim", "Counted on the software device", "Sectors of 32 bytes that warps touch, against the fewest that the work must move; passes of shared memory that bank conflicts cost.", Counters),
            Section("model", "Nodes of a model", "Time of each node of the graph in a step, and what of the machine's measured ceiling that is.", Nodes),
            History(),
            new XElement("div", new XAttribute("id", "tip"), new XAttribute("role", "status")));
        var page = new XElement(
            "html",
            new XAttribute("lang", "en"),
            new XElement(
                "head",
                new XElement("meta", new XAttribute("charset", "utf-8")),
                new XElement("meta", new XAttribute("name", "viewport"), new XAttribute("content", "width=device-width, initial-scale=1")),
                new XElement("title", "Weft kernels"),
                new XElement("style", Resource("report.css"))),
            body,
            new XElement("script", "SCRIPT"));
        // Script text is no XML.
        return "<!DOCTYPE html>\n" + page.ToString(SaveOptions.DisableFormatting).Replace("SCRIPT", Resource("report.js"), StringComparison.Ordinal) + "\n";
    }

    /// <summary>The first roofline alone, for a page that shows pictures.</summary>
    /// <exception cref="WeftException">No document has work with a roofline.</exception>
    public string Picture()
    {
        var chart = Charts().FirstOrDefault() ?? throw new WeftException("no document has rows with bytes and operations to plot");
        chart.SetAttributeValue("style", "background: white; color: #222");
        return chart + "\n";
    }

    // Of two forms of one kernel, a roof that both share tells nothing: only measured rows show the second.
    private static bool HasRoofline(ProfileRow row) =>
        !(row.Metrics.ContainsKey("roofline_us") && row.Kernel.EndsWith(", mma.sync", StringComparison.Ordinal)) &&
        row.Metrics.GetValueOrDefault("bytes") > 0 && Operations(row) > 0 && (row.Metrics.ContainsKey("roofline_us") || row.Metrics.ContainsKey("time_us"));

    private static double Operations(ProfileRow row) => row.Metrics.GetValueOrDefault("operations") + row.Metrics.GetValueOrDefault("plain_operations");

    private static XElement Table(IEnumerable<string> headings, IEnumerable<IEnumerable<object>> rows) => new(
        "div",
        new XAttribute("class", "wide"),
        new XElement(
            "table",
            new XElement("thead", new XElement("tr", headings.Select(heading => new XElement("th", heading)))),
            new XElement("tbody", rows.Select(row => new XElement("tr", row.Select(cell => cell as XElement ?? new XElement("td", cell)))))));

    private static XElement Number(double value, string format = "#,0.##") => new("td", new XAttribute("class", "number"), value.ToString(format, CultureInfo.InvariantCulture));

    /// <summary>A cell whose shade says how good a share is.</summary>
    private static XElement Share(double? share) => Shaded(share, share?.ToString("P0", CultureInfo.InvariantCulture) ?? "");

    private static XElement Shaded(double? share, string text) => new(
        "td",
        new XAttribute("class", "number"),
        share is { } value ? new XAttribute("style", FormattableString.Invariant($"background: hsl({Math.Clamp(value, 0, 1) * 120:F0} 60% 50% / 0.35)")) : null,
        text);

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(HtmlReport).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    private ProfileDocument? Last(string profile) => documents.LastOrDefault(document => document.Profile == profile);

    private XElement? Section(string profile, string title, string what, Func<ProfileDocument, XElement> content) =>
        Last(profile) is { } document ? new("section", new XElement("h2", title), new XElement("p", what), content(document)) : null;

    private XElement? Rooflines()
    {
        var charts = Charts().ToList();
        if (charts.Count == 0)
            return null;
        var isMeasured = Last("gpu") is not null;
        return new(
            "section",
            new XElement("h2", "Rooflines"),
            new XElement("p", isMeasured
                ? "A dot is what a kernel reached, under the ceilings of the same run."
                : "A dot is work at its counted operations and fewest bytes, on the roof of public figures: no launch is faster. How near one comes is measured on a GPU."),
            new XElement("div", new XAttribute("class", "charts"), charts));
    }

    private IEnumerable<XElement> Charts()
    {
        if (Last("gpu") is { } gpu && gpu.Rows.FirstOrDefault(row => row.Kernel == "ceilings") is { } ceilings)
        {
            var dots = gpu.Rows.Where(HasRoofline)
                .Select(row => new RooflineDot(row.Kernel, row.Shape, Operations(row) / row.Metrics["bytes"], Operations(row) / row.Metrics["time_us"] * 1e6)).ToList();
            if (dots.Count > 0)
                yield return RooflineChart.Draw(new(gpu.Environment["device"], ceilings.Metrics["copy_bytes_per_second"], ceilings.Metrics["matrix_operations_per_second"]), dots, series);
        }

        if (Last("static") is not { } document)
            yield break;
        foreach (var model in Shown.Select(name => GpuModel.All.Single(gpu => gpu.Name == name)))
        {
            var dots = document.Rows.Where(row => row.Target == model.Name && HasRoofline(row))
                .Select(row => new RooflineDot(row.Kernel, row.Shape, Operations(row) / row.Metrics["bytes"], Operations(row) / row.Metrics["roofline_us"] * 1e6)).ToList();
            if (dots.Count > 0)
                yield return RooflineChart.Draw(new($"{model.Name}, public figures", model.GigabytesPerSecond * 1e9, model.MatrixTeraflops * 1e12), dots, series);
        }
    }

    private static XElement Occupancy(ProfileDocument document)
    {
        var rows = document.Rows.Where(row => row.Metrics.ContainsKey("occupancy")).ToList();
        var targets = rows.Select(row => row.Target).Distinct().ToList();
        return Table(
            ["kernel", "shape", .. targets],
            rows.GroupBy(row => (row.Kernel, row.Shape)).Select(launch => (IEnumerable<object>)
            [
                launch.Key.Kernel, launch.Key.Shape,
                .. targets.Select(target => Share(launch.FirstOrDefault(row => row.Target == target)?.Metrics["occupancy"])),
            ]));
    }

    private static XElement Registers(ProfileDocument document)
    {
        var rows = document.Rows.Where(row => row.Metrics.ContainsKey("registers")).ToList();
        var targets = rows.Select(row => row.Target).Distinct().ToList();
        double Most(IEnumerable<ProfileRow> of, string metric) => of.Select(row => row.Metrics.GetValueOrDefault(metric)).DefaultIfEmpty().Max();
        return Table(
            ["kernel", "instances", .. targets.Select(target => $"registers {target}"), "spilled bytes", "code KiB"],
            rows.GroupBy(row => row.Kernel).Select(kernel => (IEnumerable<object>)
            [
                kernel.Key, Number(kernel.Count()), .. targets.Select(target => Number(Most(kernel.Where(row => row.Target == target), "registers"))),
                Number(Most(kernel, "spill_store_bytes")), Number(Most(kernel, "code_bytes") / 1024),
            ]));
    }

    private static XElement Counters(ProfileDocument document) => Table(
        ["kernel", "shape", "sectors", "bytes of minimum", "bank conflicts", "of passes", "barriers", "active lanes"],
        document.Rows.Select(row => (IEnumerable<object>)
        [
            row.Kernel, row.Shape, Number(row.Metrics["global_sectors"]),
            Shaded(1 / row.Metrics["sector_bytes_of_minimum"], FormattableString.Invariant($"{row.Metrics["sector_bytes_of_minimum"]:F2} ×")),
            Number(row.Metrics["bank_conflicts"]),
            row.Metrics["shared_passes"] > 0
                ? Shaded(1 - (row.Metrics["bank_conflicts"] / row.Metrics["shared_passes"]), (row.Metrics["bank_conflicts"] / row.Metrics["shared_passes"]).ToString("P0", CultureInfo.InvariantCulture))
                : "",
            Number(row.Metrics["barriers"]), Share(row.Metrics["active_lanes"] / 32),
        ]));

    private static XElement Nodes(ProfileDocument document) => Table(
        ["node", "kind", "of", "µs", "of the step", "MB", "MFLOP", "of the ceiling"],
        document.Rows.Select(row => (IEnumerable<object>)
        [
            row.Kernel, row.Instance, row.Shape, Number(row.Metrics["time_us"]), Number(100 * row.Metrics["time_us"] / document.Rows.Where(other => other.Shape == row.Shape).Sum(other => other.Metrics["time_us"])),
            Number(row.Metrics["bytes"] / 1e6), Number(row.Metrics["operations"] / 1e6), Share(row.Metrics.GetValueOrDefault("roofline_fraction")),
        ]));

    /// <summary>A line for every figure that changed over the files, summed over a kernel's rows.</summary>
    private XElement History()
    {
        var changed =
            (from profile in documents.GroupBy(document => document.Profile)
             where profile.Count() > 1
             from row in profile.Last().Rows.GroupBy(row => row.Kernel)
             from metric in row.SelectMany(one => one.Metrics.Keys).Distinct().Where(name => Metric.All.GetValueOrDefault(name) is { Worse: not Worse.Never })
             let values = profile.Select(document => document.Rows.Where(other => other.Kernel == row.Key).Sum(other => other.Metrics.GetValueOrDefault(metric))).ToArray()
             where values.Distinct().Count() > 1
             select (Profile: profile.Key, Kernel: row.Key, Metric: metric, Values: values)).ToList();
        return new(
            "section",
            new XElement("h2", "History"),
            changed.Count == 0
                ? new XElement("p", documents.GroupBy(document => document.Profile).Any(group => group.Count() > 1) ? "No figure changed over these files." : "No earlier files were given.")
                : new XElement("p", "Figures that changed over the files, summed over a kernel's rows; the oldest file on the left."),
            changed.Count == 0
                ? null
                : Table(
                    ["profile", "kernel", "figure", "", "first", "last", "change"],
                    changed.Select(line => (IEnumerable<object>)
                    [
                        line.Profile, line.Kernel, line.Metric, new XElement("td", Sparkline.Draw(line.Values)), Number(line.Values[0]), Number(line.Values[^1]),
                        Number(line.Values[0] == 0 ? double.PositiveInfinity : (line.Values[^1] / line.Values[0]) - 1, "+0.0 %;−0.0 %;0 %"),
                    ])));
    }
}

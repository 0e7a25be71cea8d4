using System.Globalization;
using System.Xml.Linq;
using Weft.Profile.Documents;
using Weft.Profile.Report;

namespace Weft.Kernels.Tests.Profile;

/// <summary>The page of <c>weft profile report</c>.</summary>
[TestFixture]
public sealed class HtmlReportTests
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    [Test]
    public void The_committed_profiles_make_a_page_that_needs_nothing_else()
    {
        var profiles = Path.Combine(Reference.SharedData.Repository, "profiles");
        var page = new HtmlReport([ProfileDocument.Read(Path.Combine(profiles, "static.json")), ProfileDocument.Read(Path.Combine(profiles, "sim.json"))]).Page();
        Assert.That(page, Does.StartWith("<!DOCTYPE html>"));
        Assert.That(page.Replace(Svg.NamespaceName, "", StringComparison.Ordinal), Does.Not.Contain("http").And.Not.Contain("src="));
        var body = Body(page);
        Assert.That(body.Descendants(Svg + "svg").Count(svg => (string?)svg.Attribute("class") == "roofline"), Is.EqualTo(4));
        Assert.That(body.Descendants("h2").Select(heading => heading.Value), Is.SupersetOf(new[] { "Rooflines", "Occupancy", "Registers and code", "Counted on the software device", "History" }));
        Assert.That(body.Value, Does.Contain("No earlier files were given."));
    }

    [Test]
    public void A_dot_stands_where_its_figures_say()
    {
        // 100 operations a byte under a roof of 4800 GB/s and 989 TFLOP/s: 480 TFLOP/s.
        var dot = Static(Row("gemv", "a", "H200", ("bytes", 1e6), ("operations", 1e8), ("roofline_us", 1e6 / 4.8e6)));
        var title = Body(new HtmlReport([dot]).Page()).Descendants(Svg + "title").Single().Value;
        Assert.That(title, Is.EqualTo("gemv, a: 100 operations a byte, 480 TFLOP/s, 100 % of the roof"));
        Assert.That(XElement.Parse(new HtmlReport([dot]).Picture()).Name, Is.EqualTo(Svg + "svg"));
    }

    /// <summary>More kernels than fit beside a plot, each told apart from all others.</summary>
    [TestCase(1)]
    [TestCase(31)]
    public void All_kernels_are_named_inside_of_the_picture(int kernels)
    {
        var rows = Enumerable.Range(1, kernels).Select(i => Row($"kernel {i}", "", "H200", ("bytes", 1e6), ("operations", 1e6 * i), ("roofline_us", 1)));
        var picture = XElement.Parse(new HtmlReport([Static([.. rows])]).Picture());
        var size = picture.Attribute("viewBox")!.Value.Split(' ').Skip(2).Select(number => double.Parse(number, CultureInfo.InvariantCulture)).ToArray();
        var names = picture.Elements(Svg + "text").Where(text => text.Value.StartsWith("kernel", StringComparison.Ordinal)).ToList();
        Assert.That(names, Has.Count.EqualTo(kernels));
        Assert.That(names.Select(name => ((double)name.Attribute("x")!, (double)name.Attribute("y")!)).Where(place => place.Item1 > size[0] - 100 || place.Item2 > size[1]), Is.Empty);
        Assert.That(names.Select(name => (double)name.Attribute("x")! * 1000 + (double)name.Attribute("y")!), Is.Unique);
        static string Look(XElement marker) => $"{marker.Name.LocalName} {marker.Attribute("points")?.Value.Split(' ').Length} {(string?)marker.Attribute("fill")}";
        Assert.That(names.Select(name => Look((XElement)name.PreviousNode!)), Is.Unique);
    }

    [Test]
    public void Earlier_files_show_as_history()
    {
        ProfileDocument Of(double registers) => Static(Row("norm", "", "sm_80", ("registers", registers)));
        var page = Body(new HtmlReport([Of(40), Of(38), Of(44)]).Page());
        var row = page.Descendants("section").Last().Descendants("tbody").Single().Elements("tr").Single();
        Assert.That(row.Elements("td").Select(cell => cell.Value), Is.EqualTo(new[] { "static", "norm", "registers", "", "40", "44", "+10.0 %" }));
        Assert.That(row.Descendants(Svg + "polyline").Single().Attribute("points")!.Value.Split(' '), Has.Length.EqualTo(3));
    }

    [Test]
    public void A_picture_of_nothing_is_refused() =>
        Assert.That(() => new HtmlReport([Static(Row("norm", "", "sm_80", ("registers", 1)))]).Picture(), Throws.InstanceOf<WeftException>());

    private static XElement Body(string page)
    {
        var start = page.IndexOf("<body>", StringComparison.Ordinal);
        return XElement.Parse(page[start..(page.IndexOf("</body>", StringComparison.Ordinal) + "</body>".Length)]);
    }

    private static ProfileDocument Static(params ProfileRow[] rows) => ProfileDocument.Of("static", [("compiler", "NVRTC 12.4")], rows);

    private static ProfileRow Row(string kernel, string shape, string target, params (string Name, double Value)[] metrics) =>
        new(kernel, "weft::" + kernel, shape, target, metrics.ToDictionary(metric => metric.Name, metric => metric.Value));
}

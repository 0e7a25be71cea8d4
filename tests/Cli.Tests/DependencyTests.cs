using System.Xml.Linq;
using Weft.Reference;

namespace Weft.Cli.Tests;

/// <summary>Dependencies point one way: Cli → Daemon, convert, profile → Runtime → Interop, and Cli → load. Any other arrow fails.</summary>
[TestFixture]
public sealed class DependencyTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Interop"] = [],
        ["Runtime"] = ["Interop"],
        ["Convert"] = ["Runtime"],
        ["Profile"] = ["Runtime"],
        ["Load"] = [],
        ["Daemon"] = ["Runtime"],
        ["Extensions.AI"] = ["Runtime"],
        ["Cli"] = ["Daemon", "Convert", "Profile", "Load", "Runtime"],
    };

    private static IEnumerable<string> Projects =>
        from folder in (string[])["src", "tools"]
        from file in Directory.EnumerateFiles(Path.Combine(SharedData.Repository, folder), "*.csproj", SearchOption.AllDirectories)
        select Path.GetRelativePath(SharedData.Repository, file);

    [TestCaseSource(nameof(Projects))]
    public void A_project_refers_only_to_what_lies_below_it(string project)
    {
        var name = Path.GetFileNameWithoutExtension(project);
        Assert.That(Allowed, Does.ContainKey(name), $"{project} has no place in the architecture yet: give it one here");
        Assert.That(References(Path.Combine(SharedData.Repository, project)), Is.SubsetOf(Allowed[name]));
    }

    [Test]
    public void No_product_project_is_missing_from_the_solution()
    {
        var solution = File.ReadAllText(Path.Combine(SharedData.Repository, "Runtime.sln"));
        foreach (var project in Projects)
            Assert.That(solution, Does.Contain(project.Replace('/', '\\')));
    }

    private static IEnumerable<string> References(string project) =>
        XDocument.Load(project).Descendants("ProjectReference").Select(reference =>
            Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));
}

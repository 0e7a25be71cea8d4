namespace Weft.Cli.Tests;

/// <summary>A folder for this test run with the demo model packed in it.</summary>
[SetUpFixture]
public sealed class TestModels
{
    /// <summary>The folder.</summary>
    public static string Folder { get; private set; } = "";

    /// <summary>Value of XDG_CACHE_HOME for command lines under test.</summary>
    public static string CacheRoot => Path.Combine(Folder, "cache");

    /// <summary>The packed demo model; made when first asked for.</summary>
    internal static string Packed => LazyPacked.Value;

    private static readonly Lazy<string> LazyPacked = new(() =>
    {
        var path = Path.Combine(Folder, "bard.weft");
        var outcome = WeftProcess.Run("convert", WeftProcess.Bard, "-o", path);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        return path;
    });

    /// <summary>A path inside the folder that nothing lies under yet.</summary>
    internal static string NewPath(string suffix = "") => Path.Combine(Folder, Guid.NewGuid().ToString("n") + suffix);

    /// <summary>Makes the folder.</summary>
    [OneTimeSetUp]
    public void Create() => Folder = Directory.CreateTempSubdirectory("weft-cli-tests").FullName;

    /// <summary>Removes it.</summary>
    [OneTimeTearDown]
    public void Delete() => Directory.Delete(Folder, recursive: true);
}

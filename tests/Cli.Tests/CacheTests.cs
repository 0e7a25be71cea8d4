namespace Weft.Cli.Tests;

/// <summary>A checkpoint folder is converted once into the cache folder.</summary>
[TestFixture]
public sealed class CacheTests
{
    private string checkpoint = "";
    private string cache = "";

    private (string, string?) Environment => ("XDG_CACHE_HOME", cache);

    [SetUp]
    public void CopyCheckpoint()
    {
        (this.checkpoint, this.cache) = (TestModels.NewPath(), TestModels.NewPath());
        Directory.CreateDirectory(checkpoint);
        foreach (var file in Directory.EnumerateFiles(WeftProcess.Bard))
            File.Copy(file, Path.Combine(checkpoint, Path.GetFileName(file)));
    }

    [Test]
    public void The_second_run_does_not_convert_again()
    {
        var first = Tokenize();
        Assert.That(first.ExitCode, Is.Zero, first.ToString());
        Assert.That(first.Error, Does.Contain("converting"));
        var packed = Directory.GetFiles(Path.Combine(cache, "weft")).Single();
        var time = File.GetLastWriteTimeUtc(packed);
        Assert.That(Tokenize(), Is.EqualTo(first with { Error = "" }));
        Assert.That(File.GetLastWriteTimeUtc(packed), Is.EqualTo(time));
    }

    [Test]
    public void A_changed_checkpoint_is_converted_again_and_the_old_file_removed()
    {
        Tokenize();
        File.SetLastWriteTimeUtc(Path.Combine(checkpoint, "model.safetensors"), DateTime.UtcNow.AddHours(-1));
        Assert.That(Tokenize().Error, Does.Contain("converting"));
        Assert.That(Directory.GetFiles(Path.Combine(cache, "weft")), Has.Length.EqualTo(1));
    }

    [Test]
    public void A_checkpoint_of_links_is_converted_again_when_what_they_lead_to_changes()
    {
        var blobs = TestModels.NewPath();
        Directory.Move(checkpoint, blobs);
        Directory.CreateDirectory(checkpoint);
        foreach (var file in Directory.EnumerateFiles(blobs))
            File.CreateSymbolicLink(Path.Combine(checkpoint, Path.GetFileName(file)), file);
        Assert.That(Tokenize().Error, Does.Contain("converting"));
        Assert.That(Tokenize().Error, Does.Not.Contain("converting"));
        File.SetLastWriteTimeUtc(Path.Combine(blobs, "model.safetensors"), DateTime.UtcNow.AddHours(-1));
        Assert.That(Tokenize().Error, Does.Contain("converting"));
    }

    [Test]
    public void A_checkpoint_that_does_not_convert_leaves_nothing_behind()
    {
        using (var file = File.OpenWrite(Path.Combine(checkpoint, "model.safetensors")))
            file.SetLength(file.Length - 1000);
        var outcome = Tokenize();
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Error, Does.Contain("model.safetensors"));
        Assert.That(Directory.GetFiles(Path.Combine(cache, "weft")), Is.Empty);
    }

    [Test]
    public void A_cache_folder_that_cannot_be_made_is_named()
    {
        File.WriteAllText(cache, "a file where the folder should be");
        var outcome = Tokenize();
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Error, Does.Contain(cache).And.Contain("XDG_CACHE_HOME"));
    }

    private Outcome Tokenize() => WeftProcess.Run(["tokenize", checkpoint, "What light"], "", Environment);
}

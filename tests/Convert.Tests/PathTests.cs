using System.Diagnostics;
using Weft.Convert.Tests.Support;

namespace Weft.Convert.Tests;

/// <summary>Sources and outputs that are not what they should be, a disk that is full, and a conversion that is cancelled.</summary>
[TestFixture]
public sealed class PathTests
{
    [Test]
    public void A_folder_that_does_not_exist_is_named() =>
        Assert.That(Conversion.Refusal("/nowhere/at/all"), Does.Contain("/nowhere/at/all").And.Contain("there is no such folder or file"));

    [Test]
    public void A_file_is_no_checkpoint()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch["file"], "");
        Assert.That(Conversion.Refusal(scratch["file"]), Does.Contain(scratch["file"]).And.Contain("no GGUF file; give one, or the folder of a checkpoint"));
    }

    [Test]
    public void A_folder_without_config_is_no_checkpoint()
    {
        using var scratch = new ScratchFolder();
        Assert.That(Conversion.Refusal(scratch.Root), Does.Contain(scratch.Root).And.Contain("config.json"));
    }

    [TestCase("", "name")]
    [TestCase("folder", "is a folder")]
    [TestCase("missing/out.weft", "does not exist")]
    [TestCase("model/config.json/out.weft", "")]
    [TestCase("model/model.safetensors", "part of the checkpoint")]
    [TestCase("model/config.json", "part of the checkpoint")]
    public void An_output_that_cannot_be_is_refused(string name, string thing)
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch["folder"]);
        new TinyCheckpoint().Write(scratch["model"]);
        var before = Snapshot(scratch.Root);
        var output = name.Length == 0 ? "" : scratch[name];
        var message = Conversion.Sentence(() => Converter.Convert(new(scratch["model"], output)));
        Assert.Multiple(() =>
        {
            Assert.That(message, Does.Contain(output).And.Contain(thing));
            Assert.That(Snapshot(scratch.Root), Is.EqualTo(before));
        });
    }

    /// <summary>As the cache of huggingface_hub holds them.</summary>
    [Test]
    public void Files_may_be_links_to_others()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["blobs"]);
        Directory.CreateDirectory(scratch["snapshot"]);
        foreach (var file in Directory.EnumerateFiles(scratch["blobs"]).Select(Path.GetFileName))
            File.CreateSymbolicLink(Path.Combine(scratch["snapshot"], file!), Path.Combine("..", "blobs", file!));
        using var expected = Conversion.Convert(scratch["blobs"]);
        using var actual = Conversion.Convert(scratch["snapshot"]);
        Assert.That(File.ReadAllBytes(scratch["snapshot.weft"]), Is.EqualTo(File.ReadAllBytes(scratch["blobs.weft"])));
    }

    /// <summary>Opening a pipe waits for somebody who writes.</summary>
    [TestCase("config.json", false)]
    [TestCase("config.json", true)]
    [TestCase("model.safetensors", false)]
    [TestCase("tokenizer.json", false)]
    [TestCase("tokenizer_config.json", false)]
    public void A_pipe_is_not_read(string name, bool isLinked)
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("there are no pipes in folders here");
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        var path = Path.Combine(scratch["model"], name);
        File.Delete(path);
        using (var make = Process.Start("mkfifo", [isLinked ? scratch["pipe"] : path]))
            make.WaitForExit();
        if (isLinked)
            File.CreateSymbolicLink(path, scratch["pipe"]);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain(path));
    }

    [Test]
    public void A_config_of_many_megabytes_is_refused_by_its_size()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        File.WriteAllText(Path.Combine(scratch["model"], "config.json"), $"{{{new string(' ', 9 << 20)}}}");
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("config.json").And.Contain("too many"));
    }

    [Test]
    public void A_disk_that_is_full_is_named()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        Directory.CreateDirectory(scratch["disk"]);
        using var mount = TryMount(scratch["disk"], "size=1m");
        if (mount is null)
        {
            Assert.Ignore("a file system of 1 MB cannot be mounted here");
            return;
        }

        var existing = Path.Combine(scratch["disk"], "out.weft");
        File.WriteAllBytes(existing, new byte[1_040_000]);
        var message = Conversion.Sentence(() => Converter.Convert(new(scratch["model"], existing)));
        Assert.Multiple(() =>
        {
            Assert.That(message, Does.Contain(existing).And.Match("disk was full|No space left"));
            Assert.That(Directory.EnumerateFiles(scratch["disk"]), Is.EqualTo(new[] { existing }));
            Assert.That(new FileInfo(existing).Length, Is.EqualTo(1_040_000));
        });
    }

    [Test]
    public void A_folder_that_cannot_be_written_is_named()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        Directory.CreateDirectory(scratch["disk"]);
        using var mount = TryMount(scratch["disk"], "ro");
        if (mount is null)
        {
            if (Environment.IsPrivilegedProcess || OperatingSystem.IsWindows())
            {
                Assert.Ignore("no folder can be made that this user must not write to");
                return;
            }

            File.SetUnixFileMode(scratch["disk"], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        var output = Path.Combine(scratch["disk"], "out.weft");
        Assert.That(Conversion.Sentence(() => Converter.Convert(new(scratch["model"], output))), Does.Contain(output));
        Assert.That(Directory.EnumerateFileSystemEntries(scratch["disk"]), Is.Empty);
    }

    [Test]
    public void Cancelling_midway_leaves_nothing([Values(1, 5, 21)] int after)
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        byte[] existing = [9, 8, 7];
        File.WriteAllBytes(scratch["out.weft"], existing);
        var before = Snapshot(scratch.Root);
        using var cancellation = new CancellationTokenSource();
        var canceller = new Canceller(cancellation, after);
        Assert.That(
            () => Converter.Convert(new(scratch["model"], scratch["out.weft"]), canceller, cancellation.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.Multiple(() =>
        {
            Assert.That(canceller.Reports, Is.EqualTo(after), "tensors converted before it stopped");
            Assert.That(Snapshot(scratch.Root), Is.EqualTo(before));
        });
    }

    [Test]
    public void Progress_ends_at_the_total()
    {
        using var scratch = new ScratchFolder();
        var checkpoint = new TinyCheckpoint();
        checkpoint.Write(scratch["model"]);
        var reports = new List<ConversionProgress>();
        Converter.Convert(new(scratch["model"], scratch["out.weft"]), new Recorder(reports));
        var bytes = checkpoint.Tensors.Sum(tensor => tensor.Bytes.LongLength);
        Assert.That(reports, Has.Count.EqualTo(checkpoint.Tensors.Count));
        Assert.That(reports.Select(report => report.BytesDone), Is.Ordered.Ascending);
        Assert.That(reports[^1], Is.EqualTo(new ConversionProgress("head.weight", bytes, bytes)));
    }

    /// <summary>Every file with its content, so that a difference of one byte shows.</summary>
    private static string[] Snapshot(string root) =>
        [.. Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(path => $"{path} {System.Convert.ToHexString(File.ReadAllBytes(path))}")];

    private static Mount? TryMount(string folder, string options)
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
            return null;
        return Mount.Run("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder) == 0 ? new Mount(folder) : null;
    }

    private sealed class Mount(string folder) : IDisposable
    {
        public static int Run(string command, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode;
        }

        public void Dispose() => Run("umount", folder);
    }

    private sealed class Canceller(CancellationTokenSource source, int after) : IProgress<ConversionProgress>
    {
        public int Reports { get; private set; }

        public void Report(ConversionProgress value)
        {
            if (++Reports == after)
                source.Cancel();
        }
    }

    private sealed class Recorder(List<ConversionProgress> reports) : IProgress<ConversionProgress>
    {
        public void Report(ConversionProgress value) => reports.Add(value);
    }
}

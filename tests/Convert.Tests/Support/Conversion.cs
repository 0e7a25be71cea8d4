using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Tests.Support;

/// <summary>Converts in a test, and shows that a conversion that fails leaves everything as it was.</summary>
internal static class Conversion
{
    /// <summary>Converts into a packed file beside the checkpoint, checks its checksums and opens it.</summary>
    public static WeftFile Convert(string folder, DataType? type = null)
    {
        var output = $"{folder}.weft";
        Converter.Convert(new(folder, output, type));
        var file = WeftFile.Open(output);
        file.Verify();
        return file;
    }

    /// <summary>Converts what <paramref name="checkpoint"/> writes and returns the header.</summary>
    public static WeftHeader Header(TinyCheckpoint checkpoint)
    {
        using var scratch = new ScratchFolder();
        checkpoint.Write(scratch["model"]);
        using var file = Convert(scratch["model"]);
        return file.Header;
    }

    /// <summary>
    /// The sentence with which a conversion is refused, twice: into an empty folder, which stays empty, and over an existing file,
    /// which stays as it is.
    /// </summary>
    public static string Refusal(string folder, DataType? type = null)
    {
        using var scratch = new ScratchFolder();
        var output = scratch["out.weft"];
        var message = Sentence(() => Converter.Convert(new(folder, output, type)));
        Assert.That(Directory.EnumerateFileSystemEntries(scratch.Root), Is.Empty, message);

        byte[] before = [1, 2, 3, 4, 5];
        File.WriteAllBytes(output, before);
        Assert.That(Sentence(() => Converter.Convert(new(folder, output, type))), Is.EqualTo(message));
        Assert.Multiple(() =>
        {
            Assert.That(Directory.EnumerateFileSystemEntries(scratch.Root), Is.EqualTo(new[] { output }), message);
            Assert.That(File.ReadAllBytes(output), Is.EqualTo(before), message);
        });
        return message;
    }

    /// <summary>The refusal of a checkpoint that is written as it stands.</summary>
    public static string Refusal(TinyCheckpoint checkpoint, DataType? type = null)
    {
        using var scratch = new ScratchFolder();
        checkpoint.Write(scratch["model"]);
        return Refusal(scratch["model"], type);
    }

    /// <summary>The message of the <see cref="WeftException"/> that <paramref name="action"/> ends with; it must be one line.</summary>
    public static string Sentence(Action action)
    {
        var message = Assert.Throws<WeftException>(() => action())!.Message;
        Assert.That(message, Is.Not.Empty.And.Not.Contains('\n'));
        return message;
    }
}

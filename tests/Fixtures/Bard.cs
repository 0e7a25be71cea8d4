using Weft.Convert;
using Weft.Reference;
using Weft.Tokenizers;
using Weft.Weights;

namespace Weft;

/// <summary>The demo model, packed once for a test run. In this namespace its end comes after every test of the assembly.</summary>
[SetUpFixture]
public sealed class Bard
{
    /// <summary>A chat template for it, which has none of its own.</summary>
    public const string Template =
        "{%- for message in messages -%}{{ message['role'] | upper }}:\n{{ message['content'] }}\n\n{% endfor -%}{%- if add_generation_prompt -%}ASSISTANT:\n{% endif -%}";

    private static readonly string Checkpoint = Path.Combine(SharedData.Repository, "models", "bard");

    private static readonly Lazy<string> LazyFolder = new(() => Directory.CreateTempSubdirectory("weft-bard-tests").FullName);

    private static readonly Lazy<string> LazyFile = new(() => PackFolder(Checkpoint, "bard.weft"));

    private static readonly Lazy<string> LazyChatFile = new(() => Pack(Template, "chat.weft"));

    private static readonly Lazy<Tokenizer> LazyTokenizer = new(() =>
    {
        using var file = WeftFile.Open(File);
        return Tokenizer.Create(file.Header.Tokenizer!);
    });

    /// <summary>A folder for this test run.</summary>
    public static string Folder => LazyFolder.Value;

    /// <summary>The packed file.</summary>
    public static string File => LazyFile.Value;

    /// <summary>The packed file with <see cref="Template"/> in it.</summary>
    public static string ChatFile => LazyChatFile.Value;

    /// <summary>Its tokenizer, of 2,048 tokens.</summary>
    public static Tokenizer Tokenizer => LazyTokenizer.Value;

    /// <summary>Packs it with a chat template.</summary>
    public static string Pack(string template, string name)
    {
        var checkpoint = Directory.CreateDirectory(Path.Combine(Folder, Path.GetFileNameWithoutExtension(name))).FullName;
        foreach (var file in Directory.EnumerateFiles(Checkpoint))
            System.IO.File.Copy(file, Path.Combine(checkpoint, Path.GetFileName(file)));
        System.IO.File.WriteAllText(Path.Combine(checkpoint, "chat_template.jinja"), template);
        return PackFolder(checkpoint, name);
    }

    /// <summary>Removes the folder.</summary>
    [OneTimeTearDown]
    public void Delete()
    {
        if (LazyFolder.IsValueCreated)
            Directory.Delete(Folder, recursive: true);
    }

    private static string PackFolder(string checkpoint, string name)
    {
        var path = Path.Combine(Folder, name);
        Converter.Convert(new ConversionOptions(checkpoint, path));
        return path;
    }
}

using Weft.Convert;
using Weft.Reference;
using Weft.Tokenizers;
using Weft.Weights;

namespace Weft.Daemon.Tests.Support;

/// <summary>The demo model, packed once for this test run.</summary>
[SetUpFixture]
public sealed class Bard
{
    /// <summary>A chat template for it, which has none of its own.</summary>
    public const string Template =
        "{%- for message in messages -%}{{ message['role'] | upper }}:\n{{ message['content'] }}\n\n{% endfor -%}{%- if add_generation_prompt -%}ASSISTANT:\n{% endif -%}";

    private static readonly Lazy<string> LazyFolder = new(() => Directory.CreateTempSubdirectory("weft-daemon-tests").FullName);

    private static readonly Lazy<string> LazyFile = new(() =>
    {
        var path = Path.Combine(Folder, "bard.weft");
        Converter.Convert(new ConversionOptions(Path.Combine(SharedData.Repository, "models", "bard"), path));
        return path;
    });

    private static readonly Lazy<Tokenizer> LazyTokenizer = new(() =>
    {
        using var file = WeftFile.Open(File);
        return Tokenizer.Create(file.Header.Tokenizer!);
    });

    /// <summary>A folder for this test run.</summary>
    public static string Folder => LazyFolder.Value;

    /// <summary>The packed file.</summary>
    public static string File => LazyFile.Value;

    /// <summary>Its tokenizer, of 2,048 tokens.</summary>
    public static Tokenizer Tokenizer => LazyTokenizer.Value;

    /// <summary>Removes the folder.</summary>
    [OneTimeTearDown]
    public void Delete()
    {
        if (LazyFolder.IsValueCreated)
            Directory.Delete(Folder, recursive: true);
    }
}

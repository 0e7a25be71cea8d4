using Weft.Convert;
using Weft.Reference;

namespace Weft.Extensions.AI.Tests;

/// <summary>The demo model with a chat template, packed once for this test run.</summary>
[SetUpFixture]
public sealed class ChatBard
{
    private const string Template =
        "{%- for message in messages -%}{{ message['role'] | upper }}:\n{{ message['content'] }}\n\n{% endfor -%}{%- if add_generation_prompt -%}ASSISTANT:\n{% endif -%}";

    /// <summary>The packed file.</summary>
    public static string File { get; private set; } = "";

    /// <summary>What the template makes of a question.</summary>
    public static string Prompt(string question) => $"USER:\n{question}\n\nASSISTANT:\n";

    /// <summary>Packs it.</summary>
    [OneTimeSetUp]
    public void Create()
    {
        var folder = Directory.CreateTempSubdirectory("weft-extensions-tests").FullName;
        var checkpoint = Directory.CreateDirectory(Path.Combine(folder, "checkpoint")).FullName;
        foreach (var file in Directory.EnumerateFiles(Path.Combine(SharedData.Repository, "models", "bard")))
            System.IO.File.Copy(file, Path.Combine(checkpoint, Path.GetFileName(file)));
        System.IO.File.WriteAllText(Path.Combine(checkpoint, "chat_template.jinja"), Template);
        File = Path.Combine(folder, "chat.weft");
        Converter.Convert(new ConversionOptions(checkpoint, File));
    }

    /// <summary>Removes it.</summary>
    [OneTimeTearDown]
    public void Delete() => Directory.Delete(Path.GetDirectoryName(File)!, recursive: true);
}

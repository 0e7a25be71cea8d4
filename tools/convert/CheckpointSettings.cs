using System.Text;
using System.Text.Json;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Tokenizers;
using Weft.Models;

namespace Weft.Convert;

/// <summary>What a checkpoint says beside its weights: special tokens, recommended sampling, chat templates.</summary>
/// <param name="Generation">Special tokens and sampling.</param>
/// <param name="GenerationConfig">generation_config.json, or null.</param>
/// <param name="ChatTemplates">Jinja texts by name; an only one is called 'default'.</param>
/// <param name="Files">The files that these, the config and the tokenizer come from.</param>
internal sealed record CheckpointSettings(
    GenerationDefaults Generation, ConfigFile? GenerationConfig, IReadOnlyDictionary<string, string> ChatTemplates, IReadOnlyList<string> Files)
{
    /// <summary>Name of the template that is used when none is asked for.</summary>
    public const string Default = "default";

    private const string TokenizerConfig = "tokenizer_config.json";
    private const string TemplateFile = "chat_template.jinja";
    private const string OldTemplateFile = "chat_template.json";
    private const string MoreTemplates = "additional_chat_templates";

    private static readonly string[] Names =
        ["config.json", "generation_config.json", TemplateFile, OldTemplateFile];

    /// <summary>Reads the settings of a checkpoint; files that are not there say nothing.</summary>
    /// <param name="folder">Of the checkpoint.</param>
    /// <param name="vocabulary">V: there is no token beyond.</param>
    public static CheckpointSettings Read(string folder, int vocabulary)
    {
        var config = FamilyCatalog.OpenConfig(folder);
        var generationPath = Path.Combine(folder, "generation_config.json");
        var generation = File.Exists(generationPath) ? ConfigFile.Open(generationPath) : null;
        return new(
            ReadGeneration(config, generation, vocabulary),
            generation,
            ReadChatTemplates(folder),
            [.. Names.Select(name => Path.Combine(folder, name)).Where(File.Exists), .. FurtherTemplates(folder), .. TokenizerReader.Files(folder)]);
    }

    /// <summary>A token that fills up, or null where the vocabulary does not have it: it is neither read nor generated, and some releases name one beyond.</summary>
    public static int? Padding(int? token, int vocabulary) => token < vocabulary ? token : null;

    private static GenerationDefaults ReadGeneration(ConfigFile config, ConfigFile? generation, int vocabulary)
    {
        ConfigFile Where(string name) => generation is not null && generation.Has(name) ? generation : config;
        // Some configs say −1 for a token that there is not.
        IReadOnlyList<int> Tokens(string name) => [.. Where(name).Ints(name).Where(token => token >= 0)];
        IReadOnlyList<int> Known(string name) => Tokens(name).Cast<int?>().FirstOrDefault(token => token >= vocabulary) is { } beyond
            ? throw Where(name).Error($"'{name}' is {beyond}, but the vocabulary has {vocabulary} tokens; null stands for none")
            : Tokens(name);
        static int? First(IReadOnlyList<int> tokens) => tokens is [var first, ..] ? first : null;
        var samples = generation?.Bool("do_sample", false) ?? false;
        float? Setting(string name) => samples && generation!.Has(name) ? (float)generation.Double(name) : null;
        return new GenerationDefaults
        {
            BosToken = First(Known("bos_token_id")),
            EosTokens = Known("eos_token_id"),
            PadToken = Padding(First(Tokens("pad_token_id")), vocabulary),
            Temperature = Setting("temperature"),
            TopK = samples && generation!.Has("top_k") ? generation.Int("top_k") : null,
            TopP = Setting("top_p"),
            RepetitionPenalty = generation is not null && generation.Has("repetition_penalty") ? (float)generation.Double("repetition_penalty") : null,
        };
    }

    private static string ReadText(string path) => Encoding.UTF8.GetString(SourceReader.ReadAll(path));

    /// <summary>
    /// Templates of files of their own, which newer releases of transformers write, go before those of tokenizer_config.json; what processors
    /// once wrote into chat_template.json comes last.
    /// </summary>
    private static Dictionary<string, string> ReadChatTemplates(string folder)
    {
        var templates = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var path in FurtherTemplates(folder))
            templates.TryAdd(Path.GetFileNameWithoutExtension(path), ReadText(path));
        if (File.Exists(Path.Combine(folder, TemplateFile)))
            templates[Default] = ReadText(Path.Combine(folder, TemplateFile));
        foreach (var path in ((string[])[TokenizerConfig, OldTemplateFile]).Select(name => Path.Combine(folder, name)).Where(File.Exists))
        {
            using var document = JsonFile.Parse(path);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("chat_template", out var value))
                continue;
            foreach (var (name, text) in Named(value))
                templates.TryAdd(name, text);
        }

        return templates;
    }

    private static IEnumerable<string> FurtherTemplates(string folder) => Directory.Exists(Path.Combine(folder, MoreTemplates))
        ? Directory.EnumerateFiles(Path.Combine(folder, MoreTemplates), "*.jinja").Order(StringComparer.Ordinal)
        : [];

    /// <summary>The member is a text, a list of objects with a name, or an object of texts.</summary>
    private static IEnumerable<(string Name, string Text)> Named(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [(Default, value.GetString()!)],
        JsonValueKind.Array => value.EnumerateArray()
            .Where(entry => entry.ValueKind == JsonValueKind.Object
                && entry.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String
                && entry.TryGetProperty("template", out var text) && text.ValueKind == JsonValueKind.String)
            .Select(entry => (entry.GetProperty("name").GetString()!, entry.GetProperty("template").GetString()!)),
        JsonValueKind.Object => value.EnumerateObject().Where(entry => entry.Value.ValueKind == JsonValueKind.String).Select(entry => (entry.Name, entry.Value.GetString()!)),
        _ => [],
    };
}

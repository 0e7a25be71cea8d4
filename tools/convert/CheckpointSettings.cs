using System.Text;
using System.Text.Json;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Models;

namespace Weft.Convert;

/// <summary>What a checkpoint says beside its weights: special tokens, recommended sampling, chat template.</summary>
/// <param name="Generation">Special tokens and sampling.</param>
/// <param name="ChatTemplate">Jinja text, or null.</param>
/// <param name="Files">The files that these and the tokenizer come from.</param>
internal sealed record CheckpointSettings(GenerationDefaults Generation, string? ChatTemplate, IReadOnlyList<string> Files)
{
    private static readonly string[] Names =
        ["generation_config.json", "tokenizer_config.json", "tokenizer.json", "tokenizer.model", "chat_template.jinja"];

    /// <summary>Reads the settings of the checkpoint in <paramref name="folder"/>; files that are not there say nothing.</summary>
    public static CheckpointSettings Read(string folder)
    {
        var config = ConfigFile.Open(Path.Combine(folder, "config.json"));
        var generationPath = Path.Combine(folder, "generation_config.json");
        var generation = File.Exists(generationPath) ? ConfigFile.Open(generationPath) : null;
        return new(
            ReadGeneration(config, generation),
            ReadChatTemplate(folder),
            [.. Names.Select(name => Path.Combine(folder, name)).Where(File.Exists)]);
    }

    private static GenerationDefaults ReadGeneration(ConfigFile config, ConfigFile? generation)
    {
        ConfigFile Where(string name) => generation is not null && generation.Has(name) ? generation : config;
        // Some configs say −1 for a token that there is not.
        IReadOnlyList<int> Tokens(string name) => [.. Where(name).Ints(name).Where(token => token >= 0)];
        int? Token(string name) => Tokens(name) is [var first, ..] ? first : null;
        var samples = generation?.Bool("do_sample", false) ?? false;
        float? Setting(string name) => samples && generation!.Has(name) ? (float)generation.Double(name) : null;
        return new GenerationDefaults
        {
            BosToken = Token("bos_token_id"),
            EosTokens = Tokens("eos_token_id"),
            PadToken = Token("pad_token_id"),
            Temperature = Setting("temperature"),
            TopK = samples && generation!.Has("top_k") ? generation.Int("top_k") : null,
            TopP = Setting("top_p"),
            RepetitionPenalty = generation is not null && generation.Has("repetition_penalty") ? (float)generation.Double("repetition_penalty") : null,
        };
    }

    private static string ReadText(string path)
    {
        using var file = SourceReader.Open(path);
        return Encoding.UTF8.GetString(file.Read(0, checked((int)file.Length)));
    }

    /// <summary>The template of its own file, or else tokenizer_config.json's: a text, or a list of named ones of which 'default' counts.</summary>
    private static string? ReadChatTemplate(string folder)
    {
        var path = Path.Combine(folder, "chat_template.jinja");
        if (File.Exists(path))
            return ReadText(path);
        path = Path.Combine(folder, "tokenizer_config.json");
        if (!File.Exists(path))
            return null;
        using var document = JsonFile.Parse(path);
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("chat_template", out var template))
            return null;
        if (template.ValueKind == JsonValueKind.String)
            return template.GetString();
        if (template.ValueKind != JsonValueKind.Array)
            return null;
        return template.EnumerateArray()
            .Where(entry => entry.ValueKind == JsonValueKind.Object
                && entry.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String && name.GetString() == "default"
                && entry.TryGetProperty("template", out var text) && text.ValueKind == JsonValueKind.String)
            .Select(entry => entry.GetProperty("template").GetString())
            .FirstOrDefault();
    }
}

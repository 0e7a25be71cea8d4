using Weft.Chat;
using Weft.Convert.Families;
using Weft.Tokenizers;

namespace Weft.Convert;

/// <summary>The chat template of a packed file.</summary>
/// <param name="Template">Jinja, or null for none.</param>
/// <param name="Settings">What it needs beside its text, or null.</param>
/// <param name="StopTokens">Tokens that end an answer, beside those that the checkpoint says end a text.</param>
internal sealed record ChatChoice(string? Template, ChatSettings? Settings, IReadOnlyList<int> StopTokens)
{
    private const string None = "none";

    /// <summary>Takes the template that is asked for; else the checkpoint's own; else that of a format which the checkpoint is certainly of.</summary>
    /// <param name="wanted">A name, a file, 'none', or null.</param>
    /// <param name="family">Of the checkpoint.</param>
    /// <param name="settings">The checkpoint's own templates.</param>
    /// <param name="config">config.json.</param>
    /// <param name="description">The tokenizer, or null.</param>
    /// <exception cref="WeftException">There is no such template, or it cannot be read.</exception>
    public static ChatChoice Make(string? wanted, Family family, CheckpointSettings settings, ConfigFile config, TokenizerDescription? description)
    {
        if (wanted == None)
            return new(null, null, []);
        var own = settings.ChatTemplates;
        if (own.TryGetValue(wanted ?? CheckpointSettings.Default, out var text))
            return new(text, Others(own, text), []);
        var tokenizer = description is null ? null : Tokenizer.Create(description);
        var evidence = new ChatEvidence(config, settings.GenerationConfig, token => Id(tokenizer, token) is not null);
        var format = wanted is null
            ? family.ChatFormats.FirstOrDefault(format => format.IsCertain?.Invoke(evidence) ?? false)
            : FamilyCatalog.ChatFormats.FirstOrDefault(format => format.Name == wanted);
        if (format is not null)
        {
            return new(
                format.Template, new() { SpecialTokens = format.SpecialTokens, StopStrings = format.StopStrings },
                [.. format.StopTokens.Select(token => Id(tokenizer, token)).OfType<int>()]);
        }

        return wanted is null ? new(null, null, []) : new(ReadFile(wanted, family, own), null, []);
    }

    /// <summary>Says which templates cannot be read: the model completes texts all the same.</summary>
    public IEnumerable<string> Warnings()
    {
        if (Template is not null && FindError(Template) is { } error)
            yield return $"warning: {error}; the model continues texts, but cannot chat";
        foreach (var (name, text) in Settings?.Templates ?? new Dictionary<string, string>())
        {
            if (FindError(text) is { } other)
                yield return $"warning: '{name}': {other}";
        }
    }

    private static string? FindError(string template)
    {
        try
        {
            _ = ChatTemplate.Parse(template);
            return null;
        }
        catch (WeftException failure)
        {
            return failure.Message;
        }
    }

    private static ChatSettings? Others(IReadOnlyDictionary<string, string> own, string chosen)
    {
        var others = own.Where(template => template.Value != chosen && template.Key != CheckpointSettings.Default).ToDictionary();
        return others.Count > 0 ? new() { Templates = others } : null;
    }

    private static string ReadFile(string path, Family family, IReadOnlyDictionary<string, string> own)
    {
        if (!File.Exists(path))
        {
            var names = own.Keys.Concat(family.ChatFormats.Select(format => format.Name)).ToList();
            throw new WeftException(
                $"there is no chat template '{path}', neither by name nor as a file; {(names.Count > 0 ? $"of this model are {string.Join(", ", names)}; " : "")}"
                + $"all by name: {string.Join(", ", FamilyCatalog.ChatFormats.Select(format => format.Name))}");
        }

        try
        {
            var text = File.ReadAllText(path);
            _ = ChatTemplate.Parse(text);
            return text;
        }
        catch (WeftException failure)
        {
            throw new WeftException($"{path}: {failure.Message}", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"{path}: the file cannot be read ({failure.Message})", failure);
        }
    }

    /// <summary>The token that a text is by itself, or null. SentencePiece may put a space before it.</summary>
    private static int? Id(Tokenizer? tokenizer, string text) =>
        tokenizer?.Encode(text, addSpecialTokens: false) is [.., var last] and { Length: <= 2 } && tokenizer.Piece(last) == text ? last : null;
}

using System.Globalization;
using System.Text.Json;
using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>What tokenizer_config.json and the small files beside it say about a vocabulary: its class, special tokens, added tokens.</summary>
internal sealed class TokenizerConfig
{
    // Older checkpoints leave the class of the tokenizer to the model's type.
    private static readonly Dictionary<string, string> ClassesByModel = new()
    {
        ["t5"] = "T5Tokenizer",
        ["mt5"] = "T5Tokenizer",
        ["umt5"] = "T5Tokenizer",
        ["longt5"] = "T5Tokenizer",
        ["switch_transformers"] = "T5Tokenizer",
        ["mbart"] = "MBartTokenizer",
        ["m2m_100"] = "M2M100Tokenizer",
        ["nllb-moe"] = "NllbTokenizer",
        ["xglm"] = "XGLMTokenizer",
        ["xlm-roberta"] = "XLMRobertaTokenizer",
    };

    private readonly JsonElement config;
    private readonly JsonElement specialTokens;

    private TokenizerConfig(string folder)
    {
        config = ReadObject(Path.Combine(folder, "tokenizer_config.json"));
        specialTokens = ReadObject(Path.Combine(folder, "special_tokens_map.json"));
        var model = ReadObject(Path.Combine(folder, "config.json"));
        var name = config.Text("tokenizer_class") ?? model.Text("tokenizer_class") ?? ClassesByModel.GetValueOrDefault(model.Text("model_type") ?? "") ?? "";
        Class = name.EndsWith("Fast", StringComparison.Ordinal) ? name[..^4] : name;
        Exists = config.EnumerateObject().Any();
        var added = ReadObject(Path.Combine(folder, "added_tokens.json")).EnumerateObject()
            .Select(entry => new AddedToken { Id = entry.Value.GetInt32(), Content = entry.Name });
        AddedTokens = config.Optional("added_tokens_decoder") is { } tokens
            ? [.. tokens.EnumerateObject().Select(entry => AddedTokenJson.Read(Id(entry.Name), entry.Value))]
            : [.. added];
    }

    /// <summary>Whether there is a tokenizer_config.json that says anything.</summary>
    public bool Exists { get; }

    /// <summary>The class that reads these files in Hugging Face's library, without its Fast.</summary>
    public string Class { get; }

    /// <summary>Tokens with the ids that they have beside the vocabulary's.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <summary>Reads the files of a folder; those that are not there say nothing.</summary>
    public static TokenizerConfig Read(string folder) => new(folder);

    /// <summary>A flag.</summary>
    public bool Flag(string name, bool whenMissing) => config.Flag(name, whenMissing);

    /// <summary>A number.</summary>
    public int Int(string name, int whenMissing) => config.Optional(name)?.GetInt32() ?? whenMissing;

    /// <summary>A text; an empty one counts as none.</summary>
    public string? Text(string name) => config.Text(name);

    /// <summary>Texts of a list of tokens such as additional_special_tokens.</summary>
    public IReadOnlyList<string> Texts(string name) =>
        [.. ((config.Optional(name) ?? specialTokens.Optional(name))?.EnumerateArray() ?? default).Select(token => Content(token)).OfType<string>()];

    /// <summary>The text of a special token such as bos_token.</summary>
    public string? Token(string name) => Content(config.Optional(name)) ?? Content(specialTokens.Optional(name));

    /// <summary>Whether any text in the config is this.</summary>
    public bool Mentions(string text) => Exists && config.GetRawText().Contains(text, StringComparison.Ordinal);

    private static int Id(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : throw new WeftException($"the tokenizer's config has an added token with the id '{text}'");

    private static JsonElement ReadObject(string path)
    {
        using var document = File.Exists(path) ? JsonDocument.Parse(SourceReader.ReadAll(path)) : JsonDocument.Parse("{}");
        return document.RootElement.Clone();
    }

    private static string? Content(JsonElement? token) => token switch
    {
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        { ValueKind: JsonValueKind.Object } value => value.GetProperty("content").GetString(),
        _ => null,
    };
}

using System.Text.Json;
using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads the tokenizer of a checkpoint folder, whichever of the usual files it comes in.</summary>
public static class TokenizerReader
{
    private static readonly string[] ConfigNames = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"];
    private static readonly string[] BpeNames = ["vocab.json", "merges.txt"];
    private static readonly string[] SentencePieceNames = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "ice_text.model"];

    /// <summary>Files that a tokenizer is made of, where they exist; the first of its own kind is the one that is read.</summary>
    internal static IReadOnlyList<string> Files(string folder) =>
    [
        .. ConfigNames.Concat(SentencePieceNames).Concat(BpeNames)
            .Select(name => Path.Combine(folder, name)).Where(File.Exists),
        .. Directory.EnumerateFiles(folder, "*.tiktoken").Concat(Directory.EnumerateFiles(folder, "rwkv_vocab*.txt")).Order(StringComparer.Ordinal),
    ];

    /// <summary>Reads the tokenizer in a folder, or the one inside a GGUF file; null when the folder has none.</summary>
    /// <exception cref="WeftException">The file is damaged or asks for something unsupported.</exception>
    public static TokenizerDescription? Read(string source)
    {
        if (File.Exists(source))
            return Read(source, () => GgufVocabulary.Read(GgufFile.Open(source)));
        var files = Files(source).ToLookup(path => Path.GetFileName(path));
        string? Find(Func<string, bool> named) => files.FirstOrDefault(group => named(group.Key))?.First();
        if (Find(name => name == "tokenizer.json") is { } json)
            return Read(json, () => WithLanguage(TokenizerJson.Read(json), TokenizerConfig.Read(source)));
        if (Find(SentencePieceNames.Contains) is { } model)
            return Read(model, () => ReadModel(model, TokenizerConfig.Read(source)));
        if (Find(name => name.EndsWith(".tiktoken", StringComparison.Ordinal)) is { } ranks)
            return Read(ranks, () => TiktokenFile.Read(ranks, TokenizerConfig.Read(source)));
        if (Find(name => name == "vocab.json") is { } vocabulary && Find(name => name == "merges.txt") is { } merges)
            return Read(vocabulary, () => BpeFiles.Read(vocabulary, merges, TokenizerConfig.Read(source)));
        return Find(name => name.StartsWith("rwkv_vocab", StringComparison.Ordinal)) is { } world ? Read(world, () => RwkvVocabulary.Read(world)) : null;
    }

    /// <summary>A tokenizer.model is SentencePiece's, or tiktoken's under the same name (Llama 3, GLM-4).</summary>
    private static TokenizerDescription ReadModel(string path, TokenizerConfig config)
    {
        using var file = SourceReader.Open(path);
        return TiktokenFile.IsOne(file.Read(0, (int)Math.Min(file.Length, 256))) ? TiktokenFile.Read(path, config) : SentencePieceFile.Read(path, config);
    }

    private static TokenizerDescription WithLanguage(TokenizerDescription tokenizer, TokenizerConfig config) =>
        TranslationLanguages.Find(config) is { } languages ? languages.Surround(tokenizer, config) : tokenizer;

    private static TokenizerDescription Read(string path, Func<TokenizerDescription> read)
    {
        try
        {
            var description = read();
            _ = Tokenizer.Create(description);
            return description;
        }
        catch (WeftException exception)
        {
            throw exception.Message.StartsWith(path, StringComparison.Ordinal) ? exception : new WeftException($"{path}: {exception.Message}", exception);
        }
        catch (JsonException exception)
        {
            throw new WeftException($"{path}: this is not valid JSON: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is InvalidOperationException or KeyNotFoundException or FormatException or IndexOutOfRangeException or ArgumentException)
        {
            throw new WeftException($"{path}: a part of the tokenizer is missing or has the wrong type ({exception.Message})", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"{path}: the file cannot be read ({exception.Message})", exception);
        }
    }
}

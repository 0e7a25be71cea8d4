using System.Text.Json;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads the tokenizer of a checkpoint folder, whichever of the usual files it comes in.</summary>
public static class TokenizerReader
{
    /// <summary>Reads tokenizer.json or else tokenizer.model; null when the folder has neither.</summary>
    /// <exception cref="WeftException">The file is damaged or asks for something unsupported.</exception>
    public static TokenizerDescription? Read(string folder)
    {
        var json = Path.Combine(folder, "tokenizer.json");
        if (File.Exists(json))
            return Read(json, () => TokenizerJson.Read(json));
        var model = Path.Combine(folder, "tokenizer.model");
        return File.Exists(model) ? Read(model, () => SentencePieceFile.Read(model, Path.Combine(folder, "tokenizer_config.json"))) : null;
    }

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
            throw new WeftException($"{path}: {exception.Message}", exception);
        }
        catch (JsonException exception)
        {
            throw new WeftException($"{path}: this is not valid JSON: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new WeftException($"{path}: a part of the tokenizer is missing or has the wrong type ({exception.Message})", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"{path}: the file cannot be read ({exception.Message})", exception);
        }
    }
}

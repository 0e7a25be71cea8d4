using System.Text.Json;
using System.Text.Unicode;

namespace Weft.Convert.Checkpoints;

/// <summary>Small JSON files of a checkpoint.</summary>
internal static class JsonFile
{
    /// <summary>Parses a file.</summary>
    /// <exception cref="WeftException">It does not exist, cannot be read or is not JSON.</exception>
    public static JsonDocument Parse(string path)
    {
        using var file = SourceReader.Open(path);
        if (file.Length > Array.MaxLength)
            throw new WeftException($"{path}: {file.Length} bytes are too many for a JSON file");
        try
        {
            var json = file.Read(0, (int)file.Length);
            CheckTexts(json);
            return JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (InvalidOperationException exception)
        {
            throw new WeftException($"{path}: a text in it is not valid Unicode", exception);
        }
        catch (JsonException exception)
        {
            throw new WeftException($"{path}: line {exception.LineNumber + 1} is not valid JSON", exception);
        }
    }

    /// <summary>Finds bytes that are no UTF-8 and halves of surrogate pairs, which the parser lets through until somebody asks for the text.</summary>
    private static void CheckTexts(ReadOnlySpan<byte> json)
    {
        if (!Utf8.IsValid(json))
            throw new InvalidOperationException("invalid UTF-8");
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
                _ = reader.GetString();
        }
    }
}

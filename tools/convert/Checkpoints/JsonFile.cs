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
            SpellInfinity(json);
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

    /// <summary>Python writes an infinite number as a word that is not JSON; a number too large for any type means the same.</summary>
    private static void SpellInfinity(Span<byte> json)
    {
        var isText = false;
        for (var i = 0; i < json.Length; i++)
        {
            if (json[i] == '"')
                isText = !isText;
            else if (isText && json[i] == '\\')
                i++;
            else if (!isText && json[i..].StartsWith("Infinity"u8))
                "1e999999"u8.CopyTo(json[i..]);
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

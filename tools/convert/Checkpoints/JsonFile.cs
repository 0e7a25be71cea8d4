using System.Text.Json;
using System.Text.Unicode;

namespace Weft.Convert.Checkpoints;

/// <summary>Small JSON files of a checkpoint.</summary>
internal static class JsonFile
{
    // An index of a million tensors has no more.
    private const int LongestFile = 128 << 20;

    /// <summary>Parses a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="longest">Bytes beyond which it is none of its kind.</param>
    /// <exception cref="WeftException">It does not exist, cannot be read, is too long or not JSON.</exception>
    public static JsonDocument Parse(string path, int longest = LongestFile)
    {
        using var file = SourceReader.Open(path);
        if (file.Length == 0)
            throw new WeftException($"{path}: there is nothing in it to read");
        if (file.Length > longest)
            throw new WeftException($"{path}: {file.Length} bytes are too many for such a file, which has {longest} or fewer");
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
        if (json.IndexOf("Infinity"u8) < 0)
            return;
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

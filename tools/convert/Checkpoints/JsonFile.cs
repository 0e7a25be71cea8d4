using System.Text.Json;

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
            throw new WeftException($"{path}: {file.Length} bytes are too many for a JSON file.");
        try
        {
            return JsonDocument.Parse(file.Read(0, (int)file.Length), new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException exception)
        {
            throw new WeftException($"{path}: line {exception.LineNumber + 1} is not valid JSON.", exception);
        }
    }
}

using System.Text.Json;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;

namespace Weft.Daemon.OpenAi;

/// <summary>A field that holds a text, token ids, or an array of either.</summary>
internal static class PromptField
{
    /// <summary>Reads it as token ids.</summary>
    /// <exception cref="ApiException">It is missing, empty or of a wrong type, or an id is none of the model's.</exception>
    public static List<int[]> Read(Fields fields, string name, ServedModel model)
    {
        if (fields.Any(name) is not { } value)
            throw ApiException.BadRequest($"'{name}' is missing.", name);
        if (value.ValueKind != JsonValueKind.Array)
            return [model.RequireTokenizer().Encode(Fields.Text(value, name))];
        var items = fields.Array(name)!;
        if (items.Count == 0)
            throw ApiException.BadRequest($"'{name}' is an empty array.", name);
        if (items[0].Value.ValueKind == JsonValueKind.Number)
            return [[.. fields.Integers(name).Select(id => Checked(id, name, model))]];
        return [.. items.Select(item => item.Value.ValueKind == JsonValueKind.Array
            ? item.Value.EnumerateArray().Select((id, i) => Checked(Fields.Integer(id, $"{item.Name}[{i}]"), name, model)).ToArray()
            : model.RequireTokenizer().Encode(Fields.Text(item.Value, item.Name)))];
    }

    private static int Checked(int id, string name, ServedModel model) => (uint)id < (uint)model.Facts.VocabularySize
        ? id
        : throw ApiException.BadRequest($"'{name}' has the token id {id}, but the ids of '{model.Name}' end at {model.Facts.VocabularySize - 1}.", name);
}

using System.Text.Json;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;

namespace Weft.Daemon.Requests;

/// <summary>A field that holds a text, token ids, or an array of either.</summary>
internal static class PromptField
{
    private const int MostTexts = 2048; // OpenAI's

    /// <summary>Reads it as token ids.</summary>
    /// <exception cref="ApiException">It is missing, empty or of a wrong type, or an id is none of the model's.</exception>
    public static List<int[]> Read(Fields fields, string name, ServedModel model)
    {
        if (fields.Any(name) is not { } value)
            throw ApiException.BadRequest($"'{name}' is missing.", name);
        if (value.ValueKind != JsonValueKind.Array)
            return [model.RequireTokenizer().Encode(Fields.Text(value, name))];
        if (value.GetArrayLength() == 0)
            throw ApiException.BadRequest($"'{name}' is an empty array.", name);
        if (value[0].ValueKind == JsonValueKind.Number)
            return [Ids(value, name, name, model)];
        if (value.GetArrayLength() > MostTexts)
            throw ApiException.BadRequest($"'{name}' has {value.GetArrayLength()} texts, but at most {MostTexts} are taken at a time.", name);
        var items = fields.Array(name)!;
        return [.. items.Select(item => item.Value.ValueKind == JsonValueKind.Array
            ? Ids(item.Value, item.Name, name, model)
            : model.RequireTokenizer().Encode(Fields.Text(item.Value, item.Name)))];
    }

    /// <summary>Token ids; more than the context holds are refused before they are read.</summary>
    private static int[] Ids(JsonElement array, string place, string name, ServedModel model)
    {
        if (array.GetArrayLength() > model.Facts.ContextLength)
        {
            throw ApiException.BadRequest(
                $"'{name}' has {array.GetArrayLength()} tokens, which do not fit the context of {model.Facts.ContextLength}.", name, "context_length_exceeded");
        }

        var ids = Fields.Integers(array, place);
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)model.Facts.VocabularySize)
                throw ApiException.BadRequest($"'{name}' has the token id {id}, but the ids of '{model.Name}' end at {model.Facts.VocabularySize - 1}.", name);
        }

        return ids;
    }
}

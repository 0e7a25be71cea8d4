using System.Text.Json;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads the added tokens of a tokenizer.json.</summary>
internal static class AddedTokenJson
{
    /// <summary>
    /// Reads a list. As in the library that this follows, the ids in it are not looked at: a token of the model's has the model's id, the others are
    /// counted on from the size of its vocabulary; of a text that is there twice the later place counts, and an empty one is none.
    /// </summary>
    public static IReadOnlyList<AddedToken> Read(JsonElement list, TokenModelDescription model)
    {
        var ids = new Dictionary<string, int>();
        for (var id = 0; id < model.Tokens.Count; id++)
        {
            if (model.Tokens[id] is { } token)
                ids[token] = id;
        }

        var next = model.Tokens.Count(token => token is not null);
        var added = new Dictionary<int, AddedToken>();
        foreach (var entry in list.EnumerateArray())
        {
            _ = entry.GetProperty("id").GetUInt32();
            var content = entry.GetProperty("content").GetString() ?? throw new WeftException("the tokenizer has an added token without a text");
            if (content.Length == 0)
                continue;
            if (!ids.TryGetValue(content, out var id))
                ids.Add(content, id = next++);
            added[id] = Read(id, content, entry);
        }

        return [.. added.Values];
    }

    /// <summary>Reads one, which tokenizer_config.json spells the same way.</summary>
    public static AddedToken Read(int id, JsonElement token) =>
        Read(id, token.GetProperty("content").GetString() ?? throw new WeftException("the tokenizer has an added token without a text"), token);

    private static AddedToken Read(int id, string content, JsonElement token) => new()
    {
        Id = id,
        Content = content,
        Special = token.Flag("special"),
        StripLeft = token.Flag("lstrip"),
        StripRight = token.Flag("rstrip"),
        Normalized = token.Flag("normalized"),
        SingleWord = token.Flag("single_word"),
    };
}

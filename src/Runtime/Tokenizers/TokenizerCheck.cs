namespace Weft.Tokenizers;

/// <summary>Finds what makes no sense in a tokenizer's description, which may come from a file of a stranger.</summary>
internal static class TokenizerCheck
{
    private const int HighestId = 1 << 24;

    /// <summary>A sentence about the first error, or null.</summary>
    public static string? FindError(TokenizerDescription description)
    {
        var model = description.Model;
        var count = model.Tokens.Count;
        if (count > HighestId + 1)
            return $"the tokenizer has {count} tokens; at most {HighestId} are possible";
        if (description.AddedTokens.Any(token => token.Id is < 0 or > HighestId))
            return "the tokenizer has an added token with an id out of range";
        bool IsToken(int id) => (uint)id < (uint)count && model.Tokens[id] is not null;
        if (model.ControlTokens.Concat(model.WholeTokens).Any(id => !IsToken(id)) || (model.Unknown is { } unknown && !IsToken(unknown)))
            return "the tokenizer names a special token that it does not have";
        if (model.Scores is { } scores && scores.Count != count)
            return $"the tokenizer has {count} tokens and {scores.Count} scores";
        if (model.Scores?.Any(score => !float.IsFinite(score)) == true)
            return "the tokenizer has a score that is no number";
        return null;
    }
}

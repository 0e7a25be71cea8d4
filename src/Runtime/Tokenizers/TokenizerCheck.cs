namespace Weft.Tokenizers;

/// <summary>Finds what makes no sense in a tokenizer's description, which may come from a file of a stranger.</summary>
internal static class TokenizerCheck
{
    /// <summary>The highest id that a token can have.</summary>
    public const int HighestId = 1 << 22;

    private const int MostSteps = 128;
    private const int MostExpensiveSteps = 32;
    private const int LongestText = 1024;
    private const int LongestAffix = 64;

    // Each is normalized whenever the model is loaded, at some microseconds a token. Vocabularies are not added token by token beyond some ten thousand.
    private const int MostNormalized = 1 << 17;

    /// <summary>A sentence about the first error, or null.</summary>
    public static string? FindError(TokenizerDescription description)
    {
        var model = description.Model;
        var count = model.Tokens.Count;
        if (count > HighestId + 1)
            return $"the tokenizer has {count} tokens; at most {HighestId} are possible";
        if (FindExcess(description) is { } excess)
            return excess;
        if (description.AddedTokens.Any(token => token.Id is < 0 or > HighestId))
            return "the tokenizer has an added token with an id out of range";
        bool IsToken(int id) => (uint)id < (uint)count && model.Tokens[id] is not null;
        if (model.ControlTokens.Concat(model.WholeTokens).Concat(model.UnusedTokens).Any(id => !IsToken(id)) || (model.Unknown is { } unknown && !IsToken(unknown)))
            return "the tokenizer names a special token that it does not have";
        if (model.Scores is { } scores && scores.Count != count)
            return $"the tokenizer has {count} tokens and {scores.Count} scores";
        if (model.Scores?.Any(score => !double.IsFinite(score)) == true)
            return "the tokenizer has a score that is no number";
        return null;
    }

    /// <summary>What is far beyond what any tokenizer needs, and would take endless time or memory.</summary>
    private static string? FindExcess(TokenizerDescription description)
    {
        var model = description.Model;
        foreach (var (name, count) in new[] { ("normalizers", description.Normalizers.Count), ("pre-tokenizers", description.PreTokenizers.Count), ("decoders", description.Decoders.Count) })
        {
            if (count > MostSteps)
                return $"the tokenizer has {count} {name}; at most {MostSteps} are possible";
        }

        var expensive = description.Normalizers.Count(step => step.Kind is not (NormalizerKind.Replace or NormalizerKind.Prepend or NormalizerKind.Append))
            + description.PreTokenizers.Count + description.Decoders.Count(step => step.Kind != DecoderKind.Replace);
        if (expensive > MostExpensiveSteps)
            return $"the tokenizer has {expensive} steps; at most {MostExpensiveSteps} are possible that do more than replace a text";
        if (description.Prefix.Count + description.Suffix.Count > LongestText)
            return $"the tokenizer puts {description.Prefix.Count + description.Suffix.Count} tokens around a text; at most {LongestText} are possible";
        if (IsLong(model.ContinuingPrefix, LongestAffix) || IsLong(model.WordSuffix, LongestAffix))
            return $"the tokenizer marks parts of words by more than {LongestAffix} characters";
        if (description.AddedTokens.Count(token => token.Normalized) is > MostNormalized and var normalized)
            return $"the tokenizer has {normalized} added tokens that are normalized; at most {MostNormalized} are possible";
        var texts = model.Tokens.Concat(description.AddedTokens.Select(token => token.Content))
            .Concat(description.Normalizers.Where(step => step.Kind is NormalizerKind.Replace or NormalizerKind.ReplaceExpression or NormalizerKind.Prepend or NormalizerKind.Append).Select(step => step.Content))
            .Concat(description.PreTokenizers.Where(step => step.Kind == PreTokenizerKind.Metaspace).Select(step => step.Pattern))
            .Concat(description.Decoders.Select(step => step.Content));
        return texts.Any(text => IsLong(text, LongestText)) ? $"the tokenizer has a text of more than {LongestText} characters" : null;
    }

    private static bool IsLong(string? text, int most) => text?.Length > most;
}

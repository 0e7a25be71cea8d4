namespace Weft.Convert.Tokenizers;

/// <summary>A place in an expression that is read from front to back.</summary>
internal sealed class PatternReader(string pattern)
{
    /// <summary>The place.</summary>
    public int At { get; private set; }

    /// <summary>Whether anything is left.</summary>
    public bool More => At < pattern.Length;

    /// <summary>The next unit; NUL at the end.</summary>
    public char Next => More ? pattern[At] : '\0';

    /// <summary>What is left.</summary>
    public ReadOnlySpan<char> Rest => pattern.AsSpan(At);

    /// <summary>An error that names the expression.</summary>
    /// <param name="what">What is wrong with it.</param>
    public WeftException Error(string what) =>
        new($"the tokenizer splits by '{(pattern.Length > 200 ? pattern[..200] + "…" : pattern)}', which is not a regular expression that is understood: {what}");

    /// <summary>Goes over <paramref name="text"/> if it stands here.</summary>
    public bool TryTake(string text)
    {
        if (!Rest.StartsWith(text))
            return false;
        At += text.Length;
        return true;
    }

    /// <summary>Goes over a character, which may be two units.</summary>
    public string Take()
    {
        var start = At;
        At += char.IsHighSurrogate(pattern[At]) && At + 1 < pattern.Length ? 2 : 1;
        return pattern[start..At];
    }

    /// <summary>Goes over units of a kind, at most so many.</summary>
    public string TakeWhile(Func<char, bool> isOne, int most = int.MaxValue)
    {
        var start = At;
        while (More && At - start < most && isOne(pattern[At]))
            At++;
        return pattern[start..At];
    }

    /// <summary>Goes up to <paramref name="end"/> and over it.</summary>
    /// <param name="end">What comes last.</param>
    /// <param name="what">What is meant to end there.</param>
    /// <returns>What stands before it.</returns>
    public string TakeUntil(char end, string what)
    {
        var start = At;
        var found = Rest.IndexOf(end);
        if (found < 0)
            throw Error($"{what} has no end");
        At += found + 1;
        return pattern[start..(At - 1)];
    }
}

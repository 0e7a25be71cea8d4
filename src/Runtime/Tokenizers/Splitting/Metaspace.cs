namespace Weft.Tokenizers.Splitting;

/// <summary>SentencePiece's view of words: a visible character for each space, one in front, and a word begins at each.</summary>
internal sealed class Metaspace(PreTokenizerStep step) : PreTokenizer
{
    private readonly string space = string.IsNullOrEmpty(step.Pattern) ? throw new WeftException("a metaspace needs a character for a space") : step.Pattern;

    /// <inheritdoc/>
    public override string? Change(ReadOnlySpan<char> text, bool first)
    {
        var changed = text.ToString().Replace(" ", space, StringComparison.Ordinal);
        return changed.Length > 0 && !step.Never && (first || !step.OnlyFirst) && !changed.StartsWith(space, StringComparison.Ordinal)
            ? space + changed
            : changed;
    }

    /// <inheritdoc/>
    public override void Cut(ReadOnlySpan<char> text, List<Range> words, WorkLimit limit)
    {
        if (!step.SplitWords)
        {
            base.Cut(text, words, limit);
            return;
        }

        for (var start = 0; start < text.Length;)
        {
            var next = text[(start + 1)..].IndexOf(space, StringComparison.Ordinal);
            var end = next < 0 ? text.Length : start + 1 + next;
            words.Add(start..end);
            start = end;
        }
    }
}

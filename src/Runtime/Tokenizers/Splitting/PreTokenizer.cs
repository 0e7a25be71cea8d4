namespace Weft.Tokenizers.Splitting;

/// <summary>One pre-tokenizer: changes a stretch of text, cuts it, or both. Thread-safe.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Prepares a step.</summary>
    /// <exception cref="WeftException">It makes no sense.</exception>
    public static PreTokenizer Create(PreTokenizerStep step) => step.Kind switch
    {
        PreTokenizerKind.Split when WordSplitter.TryCreate(step) is { } words => words,
        PreTokenizerKind.Split when CasedWordSplitter.TryCreate(step) is { } words => words,
        PreTokenizerKind.Split => new Splitter(step),
        PreTokenizerKind.PrefixSpace => new PrefixSpace(),
        PreTokenizerKind.Metaspace => new Metaspace(step),
        PreTokenizerKind.ByteAlphabet => new Bytes(),
        PreTokenizerKind.Scripts => new ScriptSplitter(),
        PreTokenizerKind.FixedLength => new FixedLength(step.Length),
        _ => throw new WeftException($"the pre-tokenizer '{step.Kind}' is not known"),
    };

    /// <summary>The text that this step makes of a stretch; null when it leaves it as it is.</summary>
    /// <param name="text">The stretch.</param>
    /// <param name="first">Whether it begins the whole text.</param>
    public virtual string? Change(ReadOnlySpan<char> text, bool first) => null;

    /// <summary>Appends the words of changed text, none of them empty.</summary>
    /// <param name="text">The text.</param>
    /// <param name="words">Takes their places.</param>
    /// <param name="limit">What expressions may take.</param>
    public virtual void Cut(ReadOnlySpan<char> text, List<Range> words, WorkLimit limit)
    {
        if (!text.IsEmpty)
            words.Add(0..text.Length);
    }

    private sealed class PrefixSpace : PreTokenizer
    {
        public override string? Change(ReadOnlySpan<char> text, bool first) => text.Length > 0 && text[0] != ' ' ? string.Concat(" ", text) : null;
    }

    private sealed class Bytes : PreTokenizer
    {
        public override string? Change(ReadOnlySpan<char> text, bool first) => ByteAlphabet.Spell(text);
    }

    private sealed class FixedLength(int length) : PreTokenizer
    {
        public override void Cut(ReadOnlySpan<char> text, List<Range> words, WorkLimit limit)
        {
            var start = 0;
            for (var end = 0; start < text.Length; start = end)
            {
                for (var i = 0; i < Math.Max(length, 1) && end < text.Length; i++)
                    end += char.IsHighSurrogate(text[end]) && end + 1 < text.Length ? 2 : 1;
                words.Add(start..end);
            }
        }
    }
}

namespace Weft.Tokenizers;

/// <summary>Cuts text at added tokens, the longest first where several begin.</summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<string, AddedToken> byContent = [];
    private readonly TextMatcher matcher;

    public AddedTokenFinder(IEnumerable<AddedToken> tokens)
    {
        foreach (var token in tokens)
            byContent.TryAdd(token.Content, token);
        matcher = new TextMatcher(byContent.Keys);
    }

    /// <summary>A stretch of the text: an added token's id, or null for text between them.</summary>
    public readonly record struct Piece(Range Range, int? Token);

    /// <summary>Cuts <paramref name="text"/>; empty stretches are left out.</summary>
    public List<Piece> Split(string text)
    {
        var pieces = new List<Piece>();
        var done = 0;
        for (var from = 0; matcher.TryFind(text, from, out var at, out var length);)
        {
            var token = byContent[text.Substring(at, length)];
            var (start, end) = (at, at + length);
            from = end;
            if (token.SingleWord && (TouchesWord(text, start - 1) || TouchesWord(text, end)))
                continue;
            while (token.StripLeft && start > done && char.IsWhiteSpace(text[start - 1]))
                start--;
            while (token.StripRight && end < text.Length && char.IsWhiteSpace(text[end]))
                end++;
            from = end;
            Add(done, start, null);
            Add(start, end, token.Id);
            done = end;
        }

        Add(done, text.Length, null);
        return pieces;

        void Add(int from, int to, int? token)
        {
            if (to > from)
                pieces.Add(new(from..to, token));
        }
    }

    private static bool TouchesWord(string text, int at) =>
        at >= 0 && at < text.Length && (char.IsLetterOrDigit(text[at]) || text[at] == '_');
}

using System.Buffers;
using System.Globalization;
using System.Text;

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

    /// <summary>
    /// Cuts <paramref name="text"/>; empty stretches are left out. White space that one token takes may hold another, which is found as well,
    /// and the text goes on where that ends: so in the library that this follows.
    /// </summary>
    public List<Piece> Split(string text)
    {
        var pieces = new List<Piece>();
        var done = 0;
        var spaces = 0..0; // which a token took last
        for (var from = 0; matcher.TryFind(text, from, out var at, out var length);)
        {
            var token = byContent[text.Substring(at, length)];
            var (start, end) = (at, at + length);
            from = end;
            if (token.SingleWord && TouchesWord(text, start, end))
                continue;
            while (token.StripLeft && start > done && char.IsWhiteSpace(text[start - 1]))
                start--;
            if (token.StripLeft)
                start = Math.Max(start, done);
            if (token.StripRight)
            {
                var isTaken = end >= spaces.Start.Value && end <= spaces.End.Value;
                var space = isTaken ? spaces.End.Value : end;
                while (space < text.Length && char.IsWhiteSpace(text[space]))
                    space++;
                spaces = end..space;
                end = space;
            }

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

    private static bool TouchesWord(ReadOnlySpan<char> text, int start, int end)
    {
        return (Rune.DecodeLastFromUtf16(text[..start], out var before, out _) == OperationStatus.Done && IsWord(before))
            || (Rune.DecodeFromUtf16(text[end..], out var after, out _) == OperationStatus.Done && IsWord(after));

        // Unicode's words (UTS 18, annex C): what is alphabetic, marks, digits, connectors and joiners.
        static bool IsWord(Rune rune) => Rune.GetUnicodeCategory(rune) switch
        {
            <= UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
            _ => rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
        };
    }
}

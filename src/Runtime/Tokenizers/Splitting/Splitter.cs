using System.Runtime.InteropServices;

namespace Weft.Tokenizers.Splitting;

/// <summary>Cuts text at the matches of an expression; what becomes of them is a choice of five.</summary>
internal sealed class Splitter(PreTokenizerStep step) : PreTokenizer
{
    private readonly RegexSplitter expression = new(step.Pattern ?? "");

    /// <inheritdoc/>
    public override void Cut(ReadOnlySpan<char> text, List<Range> words, WorkLimit limit)
    {
        if (text.IsEmpty)
            return;
        var matches = new List<Range>();
        expression.Match(text, matches, limit);
        var pieces = new List<Piece>((2 * matches.Count) + 1);
        var done = 0;
        foreach (var match in matches)
        {
            if (match.Start.Value > done)
                pieces.Add(new(done, match.Start.Value, step.Invert));
            pieces.Add(new(match.Start.Value, match.End.Value, !step.Invert));
            done = match.End.Value;
        }

        if (done < text.Length)
            pieces.Add(new(done, text.Length, step.Invert));
        if (step.Behavior == SplitBehavior.MergedWithNext)
            pieces.Reverse();
        var first = words.Count;
        Gather(pieces, words);
        if (step.Behavior == SplitBehavior.MergedWithNext)
            words.Reverse(first, words.Count - first);
        words.RemoveAll(word => word.Start.Equals(word.End));
    }

    private void Gather(List<Piece> pieces, List<Range> words)
    {
        var joinable = false; // whether the next piece may join the last word
        var before = false;
        foreach (var piece in pieces)
        {
            var joins = joinable && step.Behavior switch
            {
                SplitBehavior.MergedWithPrevious or SplitBehavior.MergedWithNext => piece.IsMatch && !before,
                SplitBehavior.Contiguous => piece.IsMatch == before,
                _ => false,
            };
            before = piece.IsMatch;
            if (step.Behavior == SplitBehavior.Removed && piece.IsMatch)
                continue;
            if (joins)
            {
                ref var last = ref CollectionsMarshal.AsSpan(words)[^1];
                last = Math.Min(last.Start.Value, piece.Start)..Math.Max(last.End.Value, piece.End);
            }
            else
            {
                words.Add(piece.Start..piece.End);
            }

            joinable = true;
        }
    }

    private readonly record struct Piece(int Start, int End, bool IsMatch);
}

using System.Buffers;

namespace Weft.Tokenizers.Models;

/// <summary>
/// The cut of a word into tokens whose scores have the highest sum (Kudo 2018, arXiv 1804.10959), found from front to back: the best way to
/// each place goes through the best way to an earlier one.
/// </summary>
internal sealed class UnigramModel : TokenModel
{
    // What a character without a token costs beyond the worst token; SentencePiece's number.
    private const double UnknownPenalty = 10;

    // What each byte but the first of a token that is matched whole counts: more than any logarithm of a probability.
    private const double WholeScore = 0.1;

    // Where sums grow beyond it, they begin at zero again, so that single precision tells scores apart also in a long text.
    private const float LargestSum = 100_000;

    private readonly TokenModelDescription description;
    private readonly ByteTrie trie;
    private readonly double[] scores;
    private readonly double unknownScore;
    private readonly HashSet<int> whole;
    private readonly int[] byteTokens;

    public UnigramModel(TokenModelDescription description)
    {
        this.description = description;
        if (description.Scores is not { } given || given.Count != description.Tokens.Count)
            throw new WeftException("the tokenizer's tokens and their scores are not equally many");
        scores = [.. given];
        whole = [.. description.WholeTokens];
        byteTokens = ByteTokens.Find(description.Tokens);
        HashSet<int> apart = [.. description.ControlTokens, .. description.UnusedTokens];
        if (description.SingleSums && description.ByteFallback)
            apart.UnionWith(byteTokens);
        apart.Remove(-1);
        trie = new ByteTrie(new TokenTable(description.Tokens, description.ByteLevel, [.. apart]));
        unknownScore = scores.Where((_, id) => !apart.Contains(id) && !whole.Contains(id)).DefaultIfEmpty(float.MaxValue).Min() - UnknownPenalty;
    }

    /// <inheritdoc/>
    protected override void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        using var utf8 = new Utf8Word(word);
        var bytes = utf8.Bytes;
        var best = ArrayPool<Step>.Shared.Rent(bytes.Length + 1);
        best.AsSpan(0, bytes.Length + 1).Fill(new(0, -1, -1));
        var reached = 0;
        for (var at = 0; at < bytes.Length;)
        {
            var character = Utf8Word.CharacterLength(bytes, at);
            if (description.SingleSums && Math.Abs(best[at].Score) > LargestSum)
                Subtract(best.AsSpan(at..(reached + 1)), (float)best[at].Score);
            var till = best[at].Score;
            var single = false;
            var node = 0;
            for (var end = at; end < bytes.Length && (node = trie.Next(node, bytes[end])) >= 0;)
            {
                end++;
                if (trie.Token(node) is not (>= 0 and var id))
                    continue;
                reached = Math.Max(reached, end);
                Offer(ref best[end], till, whole.Contains(id) ? WholeScore * (end - at - 1) : scores[id], at, id);
                single |= end - at == character;
            }

            if (!single)
            {
                reached = Math.Max(reached, at + character);
                Offer(ref best[at + character], till, unknownScore, at, -1);
            }

            at += character;
        }

        Collect(bytes, best, ids);
        ArrayPool<Step>.Shared.Return(best);
    }

    private static void Subtract(Span<Step> steps, float score)
    {
        foreach (ref var step in steps)
            step = step with { Score = (float)step.Score - score };
    }

    private void Offer(ref Step step, double till, double score, int start, int id)
    {
        var sum = description.SingleSums ? (float)till + (float)score : till + score;
        if (step.Start < 0 || sum > step.Score)
            step = new(sum, start, id);
    }

    /// <summary>Walks the best way back and appends its tokens in reading order.</summary>
    private void Collect(ReadOnlySpan<byte> bytes, Step[] best, List<int> ids)
    {
        var first = ids.Count;
        for (var end = bytes.Length; end > 0;)
        {
            var (_, start, id) = best[end];
            if (!IsUnknown(id))
            {
                ids.Add(id);
            }
            else
            {
                // Unknown characters in a row become bytes together or not at all; the unknown token's own text, and what else is a token, is none of them.
                while (description.FuseUnknown && start > 0 && IsUnknown(best[start].Id))
                    start = best[start].Start;
                if (trie.Find(bytes[start..end]) is >= 0 and var known)
                {
                    ids.Add(known);
                }
                else if (description.ByteFallback && bytes[start..end].IndexOfAnyExcept(KnownBytes) < 0)
                {
                    for (var i = end - 1; i >= start; i--)
                        ids.Add(byteTokens[bytes[i]]);
                }
                else
                {
                    ids.Add(description.Unknown ?? throw new WeftException("a character has no token, and the tokenizer has none for unknown characters"));
                }
            }

            end = start;
        }

        ids.Reverse(first, ids.Count - first);
    }

    private bool IsUnknown(int id) => id < 0 || id == description.Unknown;

    private SearchValues<byte> KnownBytes => field ??= SearchValues.Create([.. Enumerable.Range(0, 256).Where(value => byteTokens[value] >= 0).Select(value => (byte)value)]);

    private readonly record struct Step(double Score, int Start, int Id);
}

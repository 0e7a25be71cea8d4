using System.Buffers;

namespace Weft.Tokenizers.Models;

/// <summary>
/// The cut of a word into tokens whose scores have the highest sum (Kudo 2018, arXiv 1804.10959), found from front to back: the best way to
/// each place goes through the best way to an earlier one.
/// </summary>
internal sealed class UnigramModel : TokenModel
{
    // What a character without a token costs beyond the worst token; SentencePiece's number.
    private const float UnknownPenalty = 10;

    private readonly TokenModelDescription description;
    private readonly ByteTrie trie;
    private readonly float[] scores;
    private readonly float unknownScore;
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
        HashSet<int> apart = [.. description.ControlTokens];
        if (description.SingleSums && description.ByteFallback)
            apart.UnionWith(byteTokens);
        apart.Remove(-1);
        trie = new ByteTrie(new TokenTable(description.Tokens, description.ByteLevel, [.. apart]));
        var (lowest, highest) = (float.MaxValue, 1.17549435e-38f);
        for (var id = 0; id < scores.Length; id++)
        {
            if (apart.Contains(id) || whole.Contains(id))
                continue;
            lowest = Math.Min(lowest, scores[id]);
            highest = Math.Max(highest, scores[id]);
        }

        unknownScore = lowest - UnknownPenalty;
        WholeScore = highest;
    }

    /// <summary>What a byte of a token that is matched whole counts: the best score of all, so that nothing beats it.</summary>
    private float WholeScore { get; }

    /// <inheritdoc/>
    protected override void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        using var utf8 = new Utf8Word(word);
        var bytes = utf8.Bytes;
        var best = ArrayPool<Step>.Shared.Rent(bytes.Length + 1);
        best.AsSpan(0, bytes.Length + 1).Fill(new(0, -1, -1));
        for (var at = 0; at < bytes.Length;)
        {
            var character = Utf8Word.CharacterLength(bytes, at);
            var till = best[at].Score;
            var single = false;
            var node = 0;
            for (var end = at; end < bytes.Length && (node = trie.Next(node, bytes[end])) >= 0;)
            {
                end++;
                if (trie.Token(node) is not (>= 0 and var id))
                    continue;
                Offer(ref best[end], till, whole.Contains(id) ? (float)(((end - at) * WholeScore) - 0.1) : scores[id], at, id);
                single |= end - at == character;
            }

            if (!single)
                Offer(ref best[at + character], till, unknownScore, at, -1);
            at += character;
        }

        Collect(bytes, best, ids);
        ArrayPool<Step>.Shared.Return(best);
    }

    private void Offer(ref Step step, double till, float score, int start, int id)
    {
        var sum = description.SingleSums ? (float)till + score : till + score;
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
                // Unknown characters in a row become bytes together or not at all.
                while (description.FuseUnknown && start > 0 && IsUnknown(best[start].Id))
                    start = best[start].Start;
                if (description.ByteFallback && bytes[start..end].IndexOfAnyExcept(KnownBytes) < 0)
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

using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace Weft.Tokenizers;

/// <summary>Turns words into ids: characters or bytes become symbols, pairs merge, what is left without a token falls back.</summary>
internal sealed class BpeModel
{
    // Words of natural text repeat; the bound keeps a hostile one from filling the memory.
    private const int CachedWords = 1 << 16;
    private const int LongestCachedWord = 64;

    private readonly BpeDescription description;
    private readonly PairMerger merger;
    private readonly int[] byteTokens = new int[256];
    private readonly Dictionary<string, int> words = [];
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> wordLookup;
    private readonly ConcurrentDictionary<string, int[]> cache = new();
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> cacheLookup;
    private readonly TextMatcher? wholeTokens;

    public BpeModel(BpeDescription description)
    {
        this.description = description;
        Array.Fill(byteTokens, -1);
        var control = description.ControlTokens.ToHashSet();
        for (var id = 0; id < description.Tokens.Count; id++)
        {
            if (description.Tokens[id] is not { } token || control.Contains(id))
                continue;
            if (!description.ByteLevel)
                words.TryAdd(token, id);
            else if (ByteAlphabet.TryDecode(token) is { } bytes)
                AddByteLevel(bytes, id);
            if (description.ByteFallback && TryParseByte(token, out var value))
                byteTokens[value] = id;
        }

        wordLookup = words.GetAlternateLookup<ReadOnlySpan<char>>();
        cacheLookup = cache.GetAlternateLookup<ReadOnlySpan<char>>();
        merger = new PairMerger(description.Scores is null ? RankedMerges() : ScoredMerges(control));
        if (description.WholeTokens.Count > 0)
            wholeTokens = new TextMatcher(description.WholeTokens.Select(id => description.Tokens[id]!));
    }

    /// <summary>Reads <c>&lt;0xAB&gt;</c>.</summary>
    public static bool TryParseByte(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out value);
    }

    /// <summary>Appends the ids of <paramref name="word"/>.</summary>
    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.IsEmpty)
            return;
        if (description.IgnoreMerges && wordLookup.TryGetValue(word, out var whole))
        {
            ids.Add(whole);
            return;
        }

        if (word.Length > LongestCachedWord)
        {
            EncodeUncached(word, ids);
            return;
        }

        if (cacheLookup.TryGetValue(word, out var known))
        {
            ids.AddRange(known);
            return;
        }

        var first = ids.Count;
        EncodeUncached(word, ids);
        if (cache.Count < CachedWords)
            cacheLookup.TryAdd(word, [.. ids[first..]]);
    }

    private void EncodeUncached(ReadOnlySpan<char> word, List<int> ids)
    {
        // A UTF-16 unit becomes at most three bytes, and a symbol stands for at least one.
        var symbols = ArrayPool<int>.Shared.Rent(3 * word.Length);
        var count = description.ByteLevel ? ByteSymbols(word, symbols) : CharacterSymbols(word, symbols);
        count = merger.Merge(symbols.AsSpan(0, count));
        var unknown = false;
        for (var i = 0; i < count; i++)
        {
            var symbol = symbols[i];
            if (symbol >= 0)
                ids.Add(symbol);
            else if (description.Unknown is { } id && !(unknown && description.FuseUnknown))
                ids.Add(id);
            unknown = symbol < 0;
        }

        ArrayPool<int>.Shared.Return(symbols);
    }

    private int ByteSymbols(ReadOnlySpan<char> word, int[] symbols)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(3 * word.Length);
        var count = Encoding.UTF8.GetBytes(word, bytes);
        for (var i = 0; i < count; i++)
            symbols[i] = byteTokens[bytes[i]];
        ArrayPool<byte>.Shared.Return(bytes);
        return count;
    }

    private int CharacterSymbols(ReadOnlySpan<char> word, int[] symbols)
    {
        Span<byte> bytes = stackalloc byte[4];
        var count = 0;
        while (!word.IsEmpty)
        {
            if (wholeTokens is not null && wholeTokens.LongestAt(word, 0) is { } match)
            {
                symbols[count++] = wordLookup[word[..match]];
                word = word[match..];
                continue;
            }

            Rune.DecodeFromUtf16(word, out var rune, out var length);
            if (wordLookup.TryGetValue(word[..length], out var id))
            {
                symbols[count++] = id;
            }
            else if (description.ByteFallback)
            {
                var written = rune.EncodeToUtf8(bytes);
                foreach (var value in bytes[..written])
                    symbols[count++] = byteTokens[value];
            }
            else
            {
                symbols[count++] = -1;
            }

            word = word[length..];
        }

        return count;
    }

    private void AddByteLevel(byte[] bytes, int id)
    {
        if (bytes.Length == 1)
            byteTokens[bytes[0]] = id;
        if (description.IgnoreMerges && System.Text.Unicode.Utf8.IsValid(bytes))
            words.TryAdd(Encoding.UTF8.GetString(bytes), id);
    }

    private Dictionary<long, (int, int)> RankedMerges()
    {
        var pairs = description.Merges ?? [];
        var ids = new Dictionary<string, int>(description.Tokens.Count);
        for (var id = 0; id < description.Tokens.Count; id++)
        {
            if (description.Tokens[id] is { } token)
                ids.TryAdd(token, id);
        }

        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new Dictionary<long, (int, int)>(pairs.Count / 2);
        Span<char> joint = stackalloc char[1024];
        for (var i = 0; i + 1 < pairs.Count; i += 2)
        {
            var (left, right) = (Token(pairs[i]), Token(pairs[i + 1]));
            var length = left.Length + right.Length;
            var text = length <= joint.Length ? joint[..length] : new char[length];
            left.CopyTo(text);
            right.CopyTo(text[left.Length..]);
            if (!lookup.TryGetValue(text, out var id))
                throw new WeftException($"the tokenizer merges '{left}' and '{right}' into a token that it does not have");
            merges.TryAdd(PairMerger.Key(pairs[i], pairs[i + 1]), (i / 2, id));
        }

        return merges;
    }

    private string Token(int id) =>
        (uint)id < (uint)description.Tokens.Count && description.Tokens[id] is { } token
            ? token
            : throw new WeftException($"the tokenizer merges token {id}, which it does not have");

    /// <summary>Every way to cut a token in two tokens is a merge; its rank is the place of the token's score.</summary>
    private Dictionary<long, (int, int)> ScoredMerges(HashSet<int> control)
    {
        var scores = description.Scores!;
        var ranks = scores.Distinct().OrderDescending().Select((score, rank) => (score, rank)).ToDictionary(p => p.score, p => p.rank);
        var frozen = description.WholeTokens.ToHashSet();
        var merges = new Dictionary<long, (int, int)>();
        var lookup = words.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var (text, id) in words)
        {
            if (control.Contains(id) || frozen.Contains(id) || TryParseByte(text, out _))
                continue;
            for (var cut = 1; cut < text.Length; cut++)
            {
                if (lookup.TryGetValue(text.AsSpan(0, cut), out var left) && lookup.TryGetValue(text.AsSpan(cut), out var right)
                    && !frozen.Contains(left) && !frozen.Contains(right))
                {
                    merges.TryAdd(PairMerger.Key(left, right), (ranks[scores[id]], id));
                }
            }
        }

        return merges;
    }
}

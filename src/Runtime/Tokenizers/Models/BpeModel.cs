using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Weft.Tokenizers.Models;

/// <summary>
/// Byte-pair encoding: characters or bytes become symbols and pairs merge. With a list of merges, what has no token falls back before
/// (tokenizer.json); without one, after (SentencePiece), since characters without a token can still make one together.
/// </summary>
internal sealed class BpeModel : TokenModel
{
    // What SentencePiece writes for a space.
    private const char Space = '\u2581';

    private readonly TokenModelDescription description;
    private readonly TokenTable table;
    private readonly IPairs pairs;
    private readonly PairMerger merger;
    private readonly HashSet<int> unused;
    private readonly int[] byteTokens = new int[256];
    private readonly TextMatcher? wholeTokens;
    private readonly byte[] prefix;
    private readonly byte[] suffix;
    private readonly char? wordMark;

    public BpeModel(TokenModelDescription description)
    {
        this.description = description;
        // To SentencePiece a character alone may be a control token, too.
        table = new TokenTable(description.Tokens, description.ByteLevel, description.Merges is null ? [] : description.ControlTokens);
        pairs = description.Merges is null ? new JointPairs(description, table) : new RankedPairs(description, table);
        merger = new PairMerger(pairs);
        unused = [.. description.UnusedTokens];
        if (description.ByteLevel)
        {
            for (var value = 0; value < 256; value++)
                byteTokens[value] = table.Find([(byte)value]);
        }
        else
        {
            byteTokens = ByteTokens.Find(description.Tokens);
        }

        if (description.WholeTokens.Count > 0)
            wholeTokens = new TextMatcher(description.WholeTokens.Select(id => description.Tokens[id]!));
        prefix = Encoding.UTF8.GetBytes(description.ContinuingPrefix ?? "");
        suffix = Encoding.UTF8.GetBytes(description.WordSuffix ?? "");
        wordMark = CutsAtSpaces() ? Space : null;
    }

    /// <inheritdoc/>
    protected override char? WordMark => wordMark;

    /// <inheritdoc/>
    protected override void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        using var utf8 = new Utf8Word(word);
        var bytes = utf8.Bytes;
        if (description.IgnoreMerges && table.Find(bytes) is >= 0 and var whole)
        {
            ids.Add(whole);
            return;
        }

        if (description is { ByteLevel: false, Merges: not null })
        {
            EncodeSpelt(bytes, ids);
            return;
        }

        var symbols = ArrayPool<int>.Shared.Rent(bytes.Length);
        var starts = ArrayPool<int>.Shared.Rent(bytes.Length);
        var count = description.ByteLevel ? ByteSymbols(bytes, symbols, starts) : CharacterSymbols(word, symbols, starts);
        var apart = unused.Count > 0 ? new UnusedPairs(pairs, table, unused) : null;
        count = (apart is null ? merger : new PairMerger(apart)).Merge(symbols.AsSpan(0, count), starts.AsSpan(0, count), bytes);
        var unknown = false;
        for (var i = 0; i < count; i++)
        {
            var text = bytes[starts[i]..(i + 1 < count ? starts[i + 1] : bytes.Length)];
            if (apart is null)
            {
                Append(symbols[i], text, ref unknown, ids);
                continue;
            }

            foreach (var (id, place) in apart.TakeApart(text))
                Append(id, text[place], ref unknown, ids);
        }

        ArrayPool<int>.Shared.Return(symbols);
        ArrayPool<int>.Shared.Return(starts);
    }

    private void Append(int id, ReadOnlySpan<byte> text, ref bool unknown, List<int> ids)
    {
        if (id >= 0)
            ids.Add(id);
        unknown = id < 0 && FallBack(text, unknown, ids);
    }

    /// <summary>
    /// Whether a word and the space after it never merge, because no token holds a space behind another character: so it is with LLaMA's
    /// vocabulary. Its texts come as one word; cut into many, most are known from before. Unknown characters of two words must not become
    /// one token either, which a space between them that is a token sees to, nor disappear, which would make neighbours of two spaces.
    /// </summary>
    private bool CutsAtSpaces()
    {
        if (description is { ByteLevel: true } or { IgnoreMerges: true } or { UnusedTokens.Count: > 0 } or { Merges: not null, Unknown: null } || prefix.Length + suffix.Length > 0 || table.Find("\u2581"u8) < 0)
            return false;
        foreach (var token in description.Tokens)
        {
            var text = token.AsSpan().TrimStart(Space);
            if (text.Contains(Space))
                return false;
        }

        return true;
    }

    /// <summary>Appends the ids of a word whose characters are tokens, or fall back, before any of them merge.</summary>
    private void EncodeSpelt(ReadOnlySpan<byte> bytes, List<int> ids)
    {
        // Of a character that falls back, the bytes of what marks parts of words become tokens as well.
        var most = (bytes.Length * (description.ByteFallback ? 1 + prefix.Length : 1)) + suffix.Length + 1;
        var symbols = ArrayPool<int>.Shared.Rent(most);
        var places = ArrayPool<int>.Shared.Rent(most);
        var count = SpeltSymbols(bytes, symbols);
        for (var i = 0; i < count; i++)
            places[i] = i;
        // Merges of a list look at no bytes, and where a symbol is says its number: an unknown one may stand for none.
        count = merger.Merge(symbols.AsSpan(0, count), places.AsSpan(0, count), MemoryMarshal.AsBytes(places.AsSpan())[..count]);
        ids.AddRange(symbols.AsSpan(0, count));
        ArrayPool<int>.Shared.Return(symbols);
        ArrayPool<int>.Shared.Return(places);
    }

    /// <returns>Whether the text became the unknown token.</returns>
    private bool FallBack(ReadOnlySpan<byte> text, bool afterUnknown, List<int> ids)
    {
        if (description.ByteFallback && !Lacks(text))
        {
            foreach (var value in text)
                ids.Add(byteTokens[value]);
            return false;
        }

        if (description.Unknown is { } id && !(afterUnknown && description.FuseUnknown))
            ids.Add(id);
        return true;
    }

    private int ByteSymbols(ReadOnlySpan<byte> bytes, int[] symbols, int[] starts)
    {
        for (var i = 0; i < bytes.Length; i++)
            (symbols[i], starts[i]) = (byteTokens[bytes[i]], i);
        return bytes.Length;
    }

    private int CharacterSymbols(ReadOnlySpan<char> word, int[] symbols, int[] starts)
    {
        Span<byte> character = stackalloc byte[4];
        var (count, at) = (0, 0);
        while (!word.IsEmpty)
        {
            starts[count] = at;
            if (wholeTokens is not null && wholeTokens.LongestAt(word, 0) is { } match)
            {
                var whole = Encoding.UTF8.GetBytes(word[..match].ToString());
                symbols[count++] = table.Find(whole);
                at += whole.Length;
                word = word[match..];
                continue;
            }

            Rune.DecodeFromUtf16(word, out var rune, out var length);
            var written = rune.EncodeToUtf8(character);
            symbols[count++] = table.Find(character[..written]);
            at += written;
            word = word[length..];
        }

        return count;
    }

    private int SpeltSymbols(ReadOnlySpan<byte> bytes, int[] symbols)
    {
        Span<byte> spelling = stackalloc byte[prefix.Length + 4 + suffix.Length];
        var count = 0;
        var unknown = false; // whether an unknown token is to come; as in the reference, bytes of characters after it come before it
        for (var at = 0; at < bytes.Length;)
        {
            var start = at;
            at += Utf8Word.CharacterLength(bytes, at);
            var spelt = 0;
            Append(start > 0 ? prefix : [], spelling, ref spelt);
            Append(bytes[start..at], spelling, ref spelt);
            Append(at == bytes.Length ? suffix : [], spelling, ref spelt);
            var id = table.Find(spelling[..spelt]);
            if (id < 0 && description.ByteFallback && !Lacks(spelling[..spelt]))
            {
                foreach (var value in spelling[..spelt])
                    symbols[count++] = byteTokens[value];
                continue;
            }

            if (unknown && (id >= 0 || !description.FuseUnknown))
                symbols[count++] = description.Unknown!.Value;
            // Without an unknown token such a character disappears, and its neighbours may merge.
            unknown = id < 0 && description.Unknown is not null;
            if (id >= 0)
                symbols[count++] = id;
        }

        if (unknown)
            symbols[count++] = description.Unknown!.Value;
        return count;

        static void Append(ReadOnlySpan<byte> text, Span<byte> spelling, ref int spelt)
        {
            text.CopyTo(spelling[spelt..]);
            spelt += text.Length;
        }
    }

    private bool Lacks(ReadOnlySpan<byte> text)
    {
        foreach (var value in text)
        {
            if (byteTokens[value] < 0)
                return true;
        }

        return false;
    }
}

using System.Buffers;
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
    private readonly PairMerger merger;
    private readonly int[] byteTokens = new int[256];
    private readonly TextMatcher? wholeTokens;
    private readonly byte[] prefix;
    private readonly byte[] suffix;
    private readonly char? wordMark;

    public BpeModel(TokenModelDescription description)
    {
        this.description = description;
        table = new TokenTable(description.Tokens, description.ByteLevel, description.ControlTokens);
        merger = new PairMerger(description.Merges is null ? new JointPairs(description, table) : new RankedPairs(description, table));
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

        var symbols = ArrayPool<int>.Shared.Rent(bytes.Length);
        var starts = ArrayPool<int>.Shared.Rent(bytes.Length);
        var count = description switch
        {
            { ByteLevel: true } => ByteSymbols(bytes, symbols, starts),
            { Merges: null } => CharacterSymbols(word, symbols, starts),
            _ => FallenBackSymbols(bytes, symbols, starts),
        };
        count = merger.Merge(symbols.AsSpan(0, count), starts.AsSpan(0, count), bytes);
        var unknown = false;
        for (var i = 0; i < count; i++)
        {
            if (symbols[i] >= 0)
            {
                ids.Add(symbols[i]);
                unknown = false;
            }
            else
            {
                unknown = FallBack(bytes[starts[i]..(i + 1 < count ? starts[i + 1] : bytes.Length)], unknown, ids);
            }
        }

        ArrayPool<int>.Shared.Return(symbols);
        ArrayPool<int>.Shared.Return(starts);
    }

    /// <summary>
    /// Whether a word and the space after it never merge, because no token holds a space behind another character: so it is with LLaMA's
    /// vocabulary. Its texts come as one word; cut into many, most are known from before. Unknown characters of two words must not become
    /// one token either, which a space between them that is a token sees to, nor disappear, which would make neighbours of two spaces.
    /// </summary>
    private bool CutsAtSpaces()
    {
        if (description is { ByteLevel: true } or { IgnoreMerges: true } or { Merges: not null, Unknown: null } || prefix.Length + suffix.Length > 0 || table.Find("\u2581"u8) < 0)
            return false;
        foreach (var token in description.Tokens)
        {
            var text = token.AsSpan().TrimStart(Space);
            if (text.Contains(Space))
                return false;
        }

        return true;
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

    private int FallenBackSymbols(ReadOnlySpan<byte> bytes, int[] symbols, int[] starts)
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
            if (id < 0 && description.ByteFallback && !Lacks(bytes[start..at]))
            {
                for (; start < at; start++)
                    (symbols[count], starts[count++]) = (byteTokens[bytes[start]], start);
                continue;
            }

            if (unknown && (id >= 0 || !description.FuseUnknown))
                (symbols[count], starts[count++]) = (description.Unknown!.Value, start);
            // Without an unknown token such a character disappears, and its neighbours may merge.
            unknown = id < 0 && description.Unknown is not null;
            if (id >= 0)
                (symbols[count], starts[count++]) = (id, start);
        }

        if (unknown)
            (symbols[count], starts[count++]) = (description.Unknown!.Value, bytes.Length);
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

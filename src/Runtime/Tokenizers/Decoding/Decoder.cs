using System.Text;
using Weft.Tokenizers.Models;

namespace Weft.Tokenizers.Decoding;

/// <summary>
/// Turns ids into text. With almost every tokenizer a token stands for the same bytes wherever it is, but for the first of a text: those
/// are computed once, so that decoding is a copy. The others (CTC, suffixes of words) go through <see cref="DecoderChain"/>.
/// </summary>
internal sealed class Decoder
{
    // Stands before and after a token, so that it is neither the first nor the last.
    private const string Neighbour = "a";

    // A byte that is no character ends a row of bytes in an error.
    private static readonly string[] Followers = [Neighbour, "<0xFF>"];

    private readonly string?[] texts;
    private readonly bool[] special;
    private readonly DecoderChain chain;
    private readonly int stepCount;
    private readonly int tokenSteps;
    private readonly bool startsApart;
    private readonly bool startsWithPieces;
    private readonly bool startsUntilText;
    private readonly bool byteAlphabet;
    private readonly byte[] bytes = [];
    private readonly int[] starts = [];
    private readonly HashSet<int> standForBytes = [];

    /// <summary>Prepares the steps.</summary>
    /// <param name="description">The tokenizer, with the texts of its added tokens normalized where they are to be.</param>
    /// <param name="specialTexts">Texts of special tokens as its file has them: a token that decodes to one is special, whatever its id, and no other is.</param>
    public Decoder(TokenizerDescription description, HashSet<string> specialTexts)
    {
        var steps = description.Decoders;
        chain = new DecoderChain(steps);
        (stepCount, tokenSteps) = (steps.Count, steps.TakeWhile(IsTokenStep).Count());
        var rest = steps.Skip(tokenSteps).ToList();
        byteAlphabet = rest is [{ Kind: DecoderKind.ByteAlphabet }, ..];
        ReplacesRuns = rest is [{ Kind: DecoderKind.ByteRuns }, ..];
        HasByteFallback = ReplacesRuns || rest is [{ Kind: DecoderKind.ByteFallback }, ..];
        if (byteAlphabet || HasByteFallback)
            rest.RemoveAt(0);
        if (rest is [{ Kind: DecoderKind.Fuse }, ..])
            rest.RemoveAt(0);
        // On one text, which only the end of it may still change: no streaming.
        if (rest is [{ Kind: DecoderKind.Strip, Content: " ", Stop: 0 }] && tokenSteps + 1 < stepCount)
        {
            StripLeft = rest[0].Start;
            rest.RemoveAt(0);
        }

        IsDirect = rest.Count == 0;
        startsApart = steps.Take(tokenSteps).Any(step => step.Kind is DecoderKind.WordPiece or DecoderKind.Spaces || step is { Kind: DecoderKind.Metaspace or DecoderKind.Pieces, Prefixed: true } or { Kind: DecoderKind.Pieces, Cleanup: true });
        startsWithPieces = steps.Take(tokenSteps).Any(step => step.Kind == DecoderKind.Pieces);
        startsUntilText = steps.Take(tokenSteps).Any(step => step is { Kind: DecoderKind.Pieces, Cleanup: true });
        texts = Texts(description);
        special = Array.ConvertAll(texts, text => text is not null && specialTexts.Contains(text));
        foreach (var id in description.Model.ControlTokens)
            special[id] = true;
        if (IsDirect)
            (bytes, starts) = MiddleBytes();
    }

    /// <summary>One more than the highest id.</summary>
    public int VocabularySize => texts.Length;

    /// <summary>Whether what a token adds is known without its neighbours.</summary>
    public bool IsDirect { get; }

    /// <summary>Spaces dropped at the beginning of the text.</summary>
    public int StripLeft { get; }

    /// <summary>Whether tokens stand for bytes one by one, each of which is replaced when it is part of no character.</summary>
    public bool HasByteFallback { get; }

    /// <summary>Whether all of such tokens in a row are replaced when their bytes are not characters to the last one.</summary>
    public bool ReplacesRuns { get; }

    /// <summary>Whether an id is left out when special tokens are skipped.</summary>
    public bool IsSpecial(int id) => (uint)id < (uint)special.Length && special[id];

    /// <summary>Whether an id has a token that is not to be skipped.</summary>
    public bool Counts(int id, bool skipSpecialTokens) => (uint)id < (uint)texts.Length && texts[id] is not null && !(skipSpecialTokens && special[id]);

    /// <summary>The text of ids.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        if (!IsDirect)
            return Whole(ids, skipSpecialTokens);
        var bytes = new DecodedBytes(this);
        foreach (var id in ids)
        {
            if (Counts(id, skipSpecialTokens))
                bytes.Append(id);
        }

        var text = bytes.TakeRest();
        var strip = 0;
        while (strip < StripLeft && strip < text.Length && text[strip] == ' ')
            strip++;
        return text[strip..];
    }

    /// <summary>
    /// The beginning of the text of ids that stays whatever follows, as far as that can be told from other tokens put behind them: decoders
    /// may treat the last token apart, or end a row of bytes.
    /// </summary>
    public string Beginning(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var text = Decode(ids, skipSpecialTokens);
        var length = text.Length;
        foreach (var next in Followers)
            length = Math.Min(length, text.AsSpan().CommonPrefixLength(Whole(ids, skipSpecialTokens, next)));
        if (length > 0 && char.IsHighSurrogate(text[length - 1]))
            length--;
        return text[..length];
    }

    /// <summary>The text that one id adds in the middle of a text.</summary>
    public string Piece(int id) => IsDirect ? Encoding.UTF8.GetString(Middle(id)) : Counts(id, skipSpecialTokens: false) ? Whole([id], skipSpecialTokens: false) : "";

    /// <summary>The bytes of <see cref="Piece"/>.</summary>
    public ReadOnlySpan<byte> PieceBytes(int id) => IsDirect ? Middle(id) : Encoding.UTF8.GetBytes(Piece(id));

    /// <summary>Appends the bytes of an id that counts, when the decoder is direct.</summary>
    /// <param name="id">The id.</param>
    /// <param name="first">Whether it begins the text; afterwards, whether the next one does.</param>
    /// <param name="buffer">Takes the bytes.</param>
    /// <returns>Whether the token stands for a byte that may be replaced together with its neighbours.</returns>
    public bool Append(int id, ref bool first, List<byte> buffer)
    {
        if (!first || !startsApart)
        {
            buffer.AddRange(Middle(id));
            return standForBytes.Count > 0 && standForBytes.Contains(id);
        }

        var token = chain.Run([texts[id]!, Neighbour], 0, tokenSteps)[0];
        var bytes = new byte[3 * token.Length];
        var length = Write(token, bytes);
        buffer.AddRange(bytes.AsSpan(0, length));
        // A control token is no text: what follows it still begins the text.
        first = startsWithPieces && (texts[id]!.Length == 0 || (startsUntilText && length == 0));
        return ReplacesRuns && ByteTokens.TryParse(token, out _, anyCase: true);
    }

    private static bool IsTokenStep(DecoderStep step) =>
        step.Kind is DecoderKind.Strip or DecoderKind.Replace or DecoderKind.ReplaceExpression or DecoderKind.Metaspace or DecoderKind.WordPiece or DecoderKind.Pieces or DecoderKind.Spaces;

    private static string?[] Texts(TokenizerDescription description)
    {
        var model = description.Model;
        var texts = new string?[description.AddedTokens.Select(token => token.Id).Append(model.Tokens.Count - 1).Max() + 1];
        for (var id = 0; id < model.Tokens.Count; id++)
            texts[id] = model.Tokens[id];
        foreach (var id in model.ControlTokens)
            texts[id] = "";
        if (model.Unknown is { } unknown && description.Decoders.FirstOrDefault(step => step.Kind == DecoderKind.Pieces)?.Content is { } surface)
            texts[unknown] = surface;
        foreach (var token in description.AddedTokens)
            texts[token.Id] = token.Content;
        return texts;
    }

    private ReadOnlySpan<byte> Middle(int id) => (uint)id < (uint)texts.Length ? bytes.AsSpan(starts[id]..starts[id + 1]) : [];

    private string Whole(ReadOnlySpan<int> ids, bool skipSpecialTokens, string? next = null)
    {
        var tokens = new List<string>(ids.Length);
        foreach (var id in ids)
        {
            if (Counts(id, skipSpecialTokens))
                tokens.Add(texts[id]!);
        }

        if (next is not null)
            tokens.Add(next);
        return string.Concat(chain.Run(tokens, 0, stepCount));
    }

    private int Write(string token, Span<byte> into)
    {
        if (byteAlphabet)
            return DecoderChain.Write(token, into);
        if (!HasByteFallback || !ByteTokens.TryParse(token, out var value, anyCase: ReplacesRuns))
            return Encoding.UTF8.GetBytes(token, into);
        into[0] = value;
        return 1;
    }

    /// <summary>The bytes of every token in the middle of a text, all of them in one run of the chain.</summary>
    private (byte[] Bytes, int[] Starts) MiddleBytes()
    {
        List<string> tokens = [Neighbour, .. texts.OfType<string>(), Neighbour];
        tokens = chain.Run(tokens, 0, tokenSteps);
        var all = new byte[8 * tokens.Count];
        var places = new int[texts.Length + 1];
        var (next, end) = (1, 0);
        for (var id = 0; id < texts.Length; id++)
        {
            if (texts[id] is not null)
            {
                var token = tokens[next++];
                if (all.Length - end < 3 * token.Length)
                    Array.Resize(ref all, (2 * all.Length) + (3 * token.Length));
                end += Write(token, all.AsSpan(end));
                if (ReplacesRuns && ByteTokens.TryParse(token, out _, anyCase: true))
                    standForBytes.Add(id);
            }

            places[id + 1] = end;
        }

        return (all[..end], places);
    }
}

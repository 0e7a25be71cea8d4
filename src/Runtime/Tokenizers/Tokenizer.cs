using Weft.Tokenizers.Decoding;
using Weft.Tokenizers.Models;
using Weft.Tokenizers.Normalization;
using Weft.Tokenizers.Splitting;

namespace Weft.Tokenizers;

/// <summary>
/// Turns text into token ids and back: added tokens are found first, the text between them is normalized, cut into words and encoded.
/// Thread-safe.
/// </summary>
public sealed class Tokenizer
{
    private readonly TokenizerDescription description;
    private readonly TokenModel model;
    private readonly Normalizer normalizer;
    private readonly PreTokenizer[] preTokenizers;

    /// <summary>Words that each pre-tokenizer but the first has met: where several cut a text, most are cut again and again.</summary>
    private readonly WordCache[] caches;

    private readonly bool treatsBeginningApart;
    private readonly AddedTokenFinder rawTokens;
    private readonly AddedTokenFinder normalizedTokens;

    private Tokenizer(TokenizerDescription description)
    {
        this.description = description;
        model = TokenModel.Create(description.Model);
        normalizer = new Normalizer(description.Normalizers, [.. description.Model.WholeTokens.Select(id => description.Model.Tokens[id]!)]);
        preTokenizers = [.. description.PreTokenizers.Select(PreTokenizer.Create)];
        caches = [.. preTokenizers.Skip(1).Select(_ => new WordCache())];
        treatsBeginningApart = description.PreTokenizers.Any(step => step is { Kind: PreTokenizerKind.Metaspace, OnlyFirst: true });
        var limit = new WorkLimit(description.AddedTokens.Sum(token => (long)token.Content.Length));
        // Such a token is its normalized text from here on; it decodes to it, too.
        List<AddedToken> added = [.. description.AddedTokens.Select(token => token.Normalized ? token with { Content = normalizer.Apply(token.Content, limit) } : token)];
        rawTokens = new AddedTokenFinder(added.Where(token => !token.Normalized));
        normalizedTokens = new AddedTokenFinder(added.Where(token => token.Normalized));
        Decoder = new Decoder(description with { AddedTokens = added }, [.. description.AddedTokens.Where(token => token.Special).Select(token => token.Content)]);
    }

    /// <summary>One more than the highest id.</summary>
    public int VocabularySize => Decoder.VocabularySize;

    /// <summary>How ids become text.</summary>
    internal Decoder Decoder { get; }

    /// <summary>Builds a tokenizer from its description.</summary>
    /// <exception cref="WeftException">The description contradicts itself.</exception>
    public static Tokenizer Create(TokenizerDescription description)
    {
        ArgumentNullException.ThrowIfNull(description);
        return TokenizerCheck.FindError(description) is { } error ? throw new WeftException(error) : new Tokenizer(description);
    }

    /// <summary>Encodes text.</summary>
    /// <param name="text">Any UTF-16 text; lone surrogates become U+FFFD.</param>
    /// <param name="addSpecialTokens">Adds what the post-processor adds (usually BOS).</param>
    /// <exception cref="WeftException">An expression of the tokenizer takes too long on this text, or a character has no token.</exception>
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>(16 + (text.Length / 3));
        if (addSpecialTokens)
            ids.AddRange(description.Prefix);
        text = Normalizer.RepairSurrogates(text);
        var words = new List<Range>[preTokenizers.Length];
        var limit = new WorkLimit(text.Length);
        foreach (var piece in rawTokens.Split(text))
        {
            if (piece.Token is { } id)
                ids.Add(id);
            else
                EncodeText(text[piece.Range], piece.Range.Start.Value == 0, words, ids, limit);
        }

        if (addSpecialTokens)
            ids.AddRange(description.Suffix);
        return [.. ids];
    }

    /// <summary>Decodes ids into text. Bytes that are not UTF-8 become U+FFFD, ids without a token nothing.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => Decoder.Decode(ids, skipSpecialTokens);

    /// <summary>The text that one id adds in the middle of a text: nothing is stripped; bytes that are no whole character become U+FFFD.</summary>
    public string Piece(int id) => Decoder.Piece(id);

    /// <summary>The bytes of <see cref="Piece"/>, which may be part of a character.</summary>
    public ReadOnlySpan<byte> PieceBytes(int id) => Decoder.PieceBytes(id);

    /// <summary>Whether an id is left out when special tokens are skipped.</summary>
    public bool IsSpecial(int id) => Decoder.IsSpecial(id);

    private void EncodeText(string text, bool first, List<Range>[] words, List<int> ids, WorkLimit limit)
    {
        first &= treatsBeginningApart;
        text = normalizer.Apply(text, limit, ref first);
        foreach (var piece in normalizedTokens.Split(text))
        {
            if (piece.Token is { } id)
                ids.Add(id);
            else
                EncodeWords(text.AsSpan()[piece.Range], first && piece.Range.Start.Value == 0, 0, words, ids, limit);
        }
    }

    /// <summary>Runs a stretch through the pre-tokenizers from <paramref name="step"/> on; each step keeps its words in a list of its own.</summary>
    private void EncodeWords(ReadOnlySpan<char> text, bool first, int step, List<Range>[] words, List<int> ids, WorkLimit limit)
    {
        if (step == preTokenizers.Length)
        {
            model.Encode(text, ids);
            return;
        }

        var cache = step > 0 && !(first && treatsBeginningApart) ? caches[step - 1] : null;
        if (cache?.TryAppend(text, ids) == true)
            return;
        limit.Spend(text.Length);
        var begin = ids.Count;
        var changed = preTokenizers[step].Change(text, first) is { } other ? other : text;
        var list = words[step] ??= [];
        list.Clear();
        preTokenizers[step].Cut(changed, list, limit);
        foreach (var word in list)
            EncodeWords(changed[word], first && word.Start.Value == 0, step + 1, words, ids, limit);
        cache?.Remember(text, ids, begin);
    }
}

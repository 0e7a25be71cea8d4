using System.Text;

namespace Weft.Tokenizers;

/// <summary>
/// Turns text into token ids and back: added tokens are found first, the text between them is normalized, cut into words and encoded.
/// Thread-safe.
/// </summary>
public sealed class Tokenizer
{
    private readonly TokenizerDescription description;
    private readonly BpeModel model;
    private readonly AddedTokenFinder rawTokens;
    private readonly AddedTokenFinder normalizedTokens;
    private readonly WordSplitter?[] splitters;
    private readonly HashSet<int> special;
    private readonly byte[]?[] bytes;

    private Tokenizer(TokenizerDescription description)
    {
        this.description = description;
        model = new BpeModel(description.Model);
        rawTokens = new AddedTokenFinder(description.AddedTokens.Where(token => !token.Normalized));
        normalizedTokens = new AddedTokenFinder(description.AddedTokens.Where(token => token.Normalized)
            .Select(token => token with { Content = Normalizer.Apply(description.Normalizers, token.Content) }));
        splitters = [.. description.PreTokenizers.Select(step =>
            step.Kind == PreTokenizerKind.Split ? new WordSplitter(step.Pattern!) : null)];
        special = [.. description.AddedTokens.Where(token => token.Special).Select(token => token.Id), .. description.Model.ControlTokens];
        bytes = TokenBytes.Build(description);
    }

    /// <summary>One more than the highest id.</summary>
    public int VocabularySize => bytes.Length;

    /// <summary>Spaces dropped at the beginning of decoded text.</summary>
    internal int StripLeft => description.Decoder.StripLeft;

    /// <summary>Builds a tokenizer from its description.</summary>
    /// <exception cref="WeftException">The description contradicts itself.</exception>
    public static Tokenizer Create(TokenizerDescription description)
    {
        ArgumentNullException.ThrowIfNull(description);
        return new Tokenizer(description);
    }

    /// <summary>Encodes text.</summary>
    /// <param name="text">Any UTF-16 text; lone surrogates become U+FFFD.</param>
    /// <param name="addSpecialTokens">Adds what the post-processor adds (usually BOS).</param>
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>(16 + (text.Length / 3));
        if (addSpecialTokens)
            ids.AddRange(description.Prefix);
        text = Normalizer.RepairSurrogates(text);
        foreach (var piece in rawTokens.Split(text))
        {
            if (piece.Token is { } id)
                ids.Add(id);
            else
                EncodeText(text[piece.Range], piece.Range.Start.Value == 0, ids);
        }

        if (addSpecialTokens)
            ids.AddRange(description.Suffix);
        return [.. ids];
    }

    /// <summary>Decodes ids into text. Bytes that are not UTF-8 become U+FFFD, ids without a token nothing.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var buffer = new List<byte>(ids.Length * 4);
        foreach (var id in ids)
            buffer.AddRange(Bytes(id, skipSpecialTokens));
        var text = Encoding.UTF8.GetString(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(buffer));
        var strip = 0;
        while (strip < StripLeft && strip < text.Length && text[strip] == ' ')
            strip++;
        return text[strip..];
    }

    /// <summary>The text that one id adds in the middle of a text: nothing is stripped; bytes that are no whole character become U+FFFD.</summary>
    public string Piece(int id) => Encoding.UTF8.GetString(Bytes(id, skipSpecialTokens: false));

    /// <summary>The bytes of <see cref="Piece"/>, which may be part of a character.</summary>
    public ReadOnlySpan<byte> PieceBytes(int id) => Bytes(id, skipSpecialTokens: false);

    /// <summary>Whether an id is left out when special tokens are skipped.</summary>
    public bool IsSpecial(int id) => special.Contains(id);

    /// <summary>The bytes that an id adds to the text.</summary>
    internal ReadOnlySpan<byte> Bytes(int id, bool skipSpecialTokens) =>
        (uint)id < (uint)bytes.Length && !(skipSpecialTokens && special.Contains(id)) ? bytes[id] : [];

    private void EncodeText(string text, bool first, List<int> ids)
    {
        text = Normalizer.Apply(description.Normalizers, text);
        foreach (var piece in normalizedTokens.Split(text))
        {
            if (piece.Token is { } id)
                ids.Add(id);
            else
                EncodeWords(text[piece.Range], first && piece.Range.Start.Value == 0, ids);
        }
    }

    private void EncodeWords(string text, bool first, List<int> ids)
    {
        var words = new List<string> { text };
        for (var i = 0; i < splitters.Length; i++)
            words = Apply(description.PreTokenizers[i], splitters[i], words, first);
        foreach (var word in words)
            model.Encode(word, ids);
    }

    private static List<string> Apply(PreTokenizerStep step, WordSplitter? splitter, List<string> words, bool first)
    {
        var result = new List<string>(words.Count);
        var ranges = new List<Range>();
        foreach (var word in words)
        {
            switch (step.Kind)
            {
                case PreTokenizerKind.Split:
                    ranges.Clear();
                    splitter!.Split(word, ranges);
                    foreach (var range in ranges)
                        result.Add(word[range]);
                    break;
                case PreTokenizerKind.PrefixSpace:
                    result.Add(word.Length > 0 && word[0] != ' ' ? " " + word : word);
                    break;
                default:
                    Metaspace(step, word, first, result);
                    break;
            }
        }

        return result;
    }

    private static void Metaspace(PreTokenizerStep step, string word, bool first, List<string> result)
    {
        var space = step.Pattern!;
        word = word.Replace(" ", space, StringComparison.Ordinal);
        if (word.Length > 0 && !step.Never && (first || !step.OnlyFirst) && !word.StartsWith(space, StringComparison.Ordinal))
            word = space + word;
        if (!step.SplitWords)
        {
            result.Add(word);
            return;
        }

        var start = 0;
        for (var next = 1; start < word.Length; next++)
        {
            if (next < word.Length && string.CompareOrdinal(word, next, space, 0, space.Length) != 0)
                continue;
            result.Add(word[start..next]);
            start = next;
        }
    }
}

using System.Text.Json.Serialization;
using Weft.Weights;

namespace Weft.Tokenizers;

/// <summary>
/// A tokenizer as the packed file's header carries it: a pipeline of building blocks as plain data, whatever file it was read from.
/// Text passes added tokens, normalizers, pre-tokenizers and the model; ids pass the decoders.
/// </summary>
public sealed record TokenizerDescription
{
    /// <summary>Tokens that are found in the text before anything else.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>Changes to the text, in order.</summary>
    public IReadOnlyList<NormalizerStep> Normalizers { get; init; } = [];

    /// <summary>Cuts of the text into words, in order.</summary>
    public IReadOnlyList<PreTokenizerStep> PreTokenizers { get; init; } = [];

    /// <summary>How a word becomes ids.</summary>
    public required TokenModelDescription Model { get; init; }

    /// <summary>Ids put before the text's when special tokens are asked for (usually BOS).</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>Ids put after the text's when special tokens are asked for.</summary>
    public IReadOnlyList<int> Suffix { get; init; } = [];

    /// <summary>How tokens become text, in order; what is left in the end is put together.</summary>
    public IReadOnlyList<DecoderStep> Decoders { get; init; } = [];
}

/// <summary>A token that is matched as text, outside the model.</summary>
public sealed record AddedToken
{
    /// <summary>Its id.</summary>
    public required int Id { get; init; }

    /// <summary>Its text.</summary>
    public required string Content { get; init; }

    /// <summary>Left out when special tokens are skipped at decoding.</summary>
    public bool Special { get; init; }

    /// <summary>Takes white space on its left with it.</summary>
    public bool StripLeft { get; init; }

    /// <summary>Takes white space on its right with it.</summary>
    public bool StripRight { get; init; }

    /// <summary>Is looked for in normalized text, and its own text is normalized.</summary>
    public bool Normalized { get; init; }

    /// <summary>Matches only where no letter or digit touches it.</summary>
    public bool SingleWord { get; init; }
}

/// <summary>What a normalizer does.</summary>
public enum NormalizerKind
{
    /// <summary>Puts <see cref="NormalizerStep.Content"/> before text that is not empty.</summary>
    Prepend,

    /// <summary>Puts <see cref="NormalizerStep.Content"/> after text that is not empty.</summary>
    Append,

    /// <summary>Replaces every <see cref="NormalizerStep.Pattern"/> by <see cref="NormalizerStep.Content"/>.</summary>
    Replace,

    /// <summary>The same with a regular expression for a pattern; the content is put as it stands.</summary>
    ReplaceExpression,

    /// <summary>Unicode normalization form C.</summary>
    Nfc,

    /// <summary>Unicode normalization form D.</summary>
    Nfd,

    /// <summary>Unicode normalization form KC.</summary>
    Nfkc,

    /// <summary>Unicode normalization form KD.</summary>
    Nfkd,

    /// <summary>Small letters, each by itself.</summary>
    Lowercase,

    /// <summary>No white space at the left end.</summary>
    StripLeft,

    /// <summary>No white space at the right end.</summary>
    StripRight,

    /// <summary>No marks (general category M).</summary>
    StripMarks,

    /// <summary>No marks without a width (general category Mn): what BERT takes off letters.</summary>
    StripNonSpacingMarks,

    /// <summary>
    /// SentencePiece's remove_extra_whitespaces: none at the ends, one between words; at the end <see cref="NormalizerStep.Pattern"/> is a space as well.
    /// <see cref="NormalizerStep.Content"/> is its compiled table of replacements, if it has one.
    /// </summary>
    CollapseSpaces,

    /// <summary>SentencePiece's nmt rules: control characters disappear, rare spaces become a space.</summary>
    Nmt,

    /// <summary>BERT's cleaning: control characters disappear, white space becomes a space.</summary>
    CleanText,

    /// <summary>A space on both sides of every Chinese character.</summary>
    SpaceIdeographs,

    /// <summary>SentencePiece's compiled table of replacements, the longest first.</summary>
    CharacterMap,

    /// <summary>The same table as Hugging Face's library applies it: cluster by cluster, then character by character, the shortest first.</summary>
    ClusterMap,

    /// <summary>Spells the bytes of the text in GPT-2's alphabet.</summary>
    ByteAlphabet,
}

/// <summary>One normalizer.</summary>
public sealed record NormalizerStep
{
    /// <summary>What it does.</summary>
    public required NormalizerKind Kind { get; init; }

    /// <summary>Text or expression to replace.</summary>
    public string? Pattern { get; init; }

    /// <summary>Text to put; of the character maps, and where spaces collapse, the table in Base64 (SentencePiece's precompiled_charsmap).</summary>
    public string? Content { get; init; }
}

/// <summary>What a pre-tokenizer does.</summary>
public enum PreTokenizerKind
{
    /// <summary>Matches of a regular expression and the stretches between them become words, as <see cref="PreTokenizerStep.Behavior"/> says.</summary>
    Split,

    /// <summary>Puts a space before text that does not start with one.</summary>
    PrefixSpace,

    /// <summary>Spaces become <see cref="PreTokenizerStep.Pattern"/>, one is put in front of the text.</summary>
    Metaspace,

    /// <summary>Spells the bytes of the text in GPT-2's alphabet.</summary>
    ByteAlphabet,

    /// <summary>Cuts where the script of the letters changes; a space goes with what comes before it.</summary>
    Scripts,

    /// <summary>Cuts after every <see cref="PreTokenizerStep.Length"/> characters.</summary>
    FixedLength,
}

/// <summary>What becomes of the matches of a split.</summary>
public enum SplitBehavior
{
    /// <summary>Each is a word.</summary>
    Isolated,

    /// <summary>They disappear.</summary>
    Removed,

    /// <summary>Each belongs to the stretch before it.</summary>
    MergedWithPrevious,

    /// <summary>Each belongs to the stretch after it.</summary>
    MergedWithNext,

    /// <summary>Neighbouring ones are one word.</summary>
    Contiguous,
}

/// <summary>One pre-tokenizer.</summary>
public sealed record PreTokenizerStep
{
    /// <summary>What it does.</summary>
    public required PreTokenizerKind Kind { get; init; }

    /// <summary>Regular expression of a split, or the character that stands for a space.</summary>
    public string? Pattern { get; init; }

    /// <summary>Split: what becomes of matches.</summary>
    public SplitBehavior Behavior { get; init; }

    /// <summary>Split: the stretches between matches count as matches, and matches as stretches.</summary>
    public bool Invert { get; init; }

    /// <summary>Fixed length: characters a word.</summary>
    public int Length { get; init; }

    /// <summary>Metaspace: the character is put in front only at the very beginning, not after an added token.</summary>
    public bool OnlyFirst { get; init; }

    /// <summary>Metaspace: nothing is put in front.</summary>
    public bool Never { get; init; }

    /// <summary>Metaspace: each character that stands for a space begins a word.</summary>
    public bool SplitWords { get; init; }
}

/// <summary>How a word becomes tokens.</summary>
public enum TokenModelKind
{
    /// <summary>Byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909), over bytes or over characters.</summary>
    Bpe,

    /// <summary>The cut whose tokens have the highest sum of scores (Kudo 2018, arXiv 1804.10959).</summary>
    Unigram,

    /// <summary>The longest token first, continued by tokens with a prefix; a word that does not go up in tokens is unknown (BERT).</summary>
    WordPiece,

    /// <summary>A word is a token or unknown.</summary>
    WordLevel,

    /// <summary>The longest token that fits, again and again (RWKV).</summary>
    LongestMatch,
}

/// <summary>A vocabulary and how it is used.</summary>
public sealed record TokenModelDescription
{
    /// <summary>How a word becomes tokens.</summary>
    public TokenModelKind Kind { get; init; }

    /// <summary>Texts of the tokens by id; null where an id has no token of the model.</summary>
    [JsonConverter(typeof(PackedTextsConverter))]
    public required IReadOnlyList<string?> Tokens { get; init; }

    /// <summary>
    /// BPE: pairs of ids in falling priority: left, right, left, right, … Without them a pair merges when its joint text is a token, the
    /// highest of <see cref="Scores"/> first (SentencePiece) or, without scores, the lowest id (tiktoken).
    /// </summary>
    [JsonConverter(typeof(PackedIdsConverter))]
    public IReadOnlyList<int>? Merges { get; init; }

    /// <summary>Scores of the tokens by id: the order of BPE's merges, or what a unigram model adds up.</summary>
    [JsonConverter(typeof(PackedScoresConverter))]
    public IReadOnlyList<double>? Scores { get; init; }

    /// <summary>Unigram: scores add up in single precision, as SentencePiece does it.</summary>
    public bool SingleSums { get; init; }

    /// <summary>Tokens that are never made of characters (control, unknown); they decode to nothing.</summary>
    public IReadOnlyList<int> ControlTokens { get; init; } = [];

    /// <summary>SentencePiece: tokens that no text ends in; BPE makes others through them, and takes them apart again.</summary>
    public IReadOnlyList<int> UnusedTokens { get; init; } = [];

    /// <summary>SentencePiece: tokens that are matched whole, the longest first, before anything else is done to the text.</summary>
    public IReadOnlyList<int> WholeTokens { get; init; } = [];

    /// <summary>Tokens are spelt in GPT-2's alphabet of 256 printable characters, one a byte.</summary>
    public bool ByteLevel { get; init; }

    /// <summary>Characters without a token become the tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c> of their UTF-8 bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>BPE: a word that is a token is that token, whatever the merges would give.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Token of what has no token.</summary>
    public int? Unknown { get; init; }

    /// <summary>Neighbouring unknown characters become one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>BPE and word pieces: what stands before every piece of a word but the first.</summary>
    public string? ContinuingPrefix { get; init; }

    /// <summary>BPE: what stands after the last piece of a word.</summary>
    public string? WordSuffix { get; init; }

    /// <summary>Word pieces: words of more characters are unknown.</summary>
    public int LongestWord { get; init; }
}

/// <summary>What a decoder does to the tokens of a text.</summary>
public enum DecoderKind
{
    /// <summary>All become one text of the bytes that they spell in GPT-2's alphabet.</summary>
    ByteAlphabet,

    /// <summary>Tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c> become characters of these bytes, U+FFFD where they are no character.</summary>
    ByteFallback,

    /// <summary>The same as Hugging Face's library does it: all of such tokens in a row become U+FFFD, each one, unless their bytes are characters to the last one.</summary>
    ByteRuns,

    /// <summary>All become one text.</summary>
    Fuse,

    /// <summary>Up to <see cref="DecoderStep.Start"/> and <see cref="DecoderStep.Stop"/> of <see cref="DecoderStep.Content"/> are taken off each one's ends.</summary>
    Strip,

    /// <summary><see cref="DecoderStep.Pattern"/> becomes <see cref="DecoderStep.Content"/> in each.</summary>
    Replace,

    /// <summary>The same with a regular expression for a pattern.</summary>
    ReplaceExpression,

    /// <summary><see cref="DecoderStep.Pattern"/> becomes a space; with <see cref="DecoderStep.Prefixed"/> it disappears from the first token.</summary>
    Metaspace,

    /// <summary>A space before each token but the first; instead, one that begins with <see cref="DecoderStep.Pattern"/> loses that.</summary>
    WordPiece,

    /// <summary><see cref="DecoderStep.Pattern"/> becomes a space, and nothing in the last token.</summary>
    WordSuffix,

    /// <summary>Repeated tokens count once, <see cref="DecoderStep.Pattern"/> disappears and <see cref="DecoderStep.Content"/> is a space.</summary>
    Ctc,

    /// <summary>
    /// SentencePiece: <see cref="DecoderStep.Pattern"/> becomes a space; at the beginning of the text one is dropped with
    /// <see cref="DecoderStep.Prefixed"/>, with <see cref="DecoderStep.Cleanup"/> one of every token until there is text. The unknown token becomes <see cref="DecoderStep.Content"/>, as it stands.
    /// </summary>
    Pieces,

    /// <summary>A space before each token but the first.</summary>
    Spaces,
}

/// <summary>One decoder.</summary>
public sealed record DecoderStep
{
    /// <summary>What it does.</summary>
    public required DecoderKind Kind { get; init; }

    /// <summary>What it looks for.</summary>
    public string? Pattern { get; init; }

    /// <summary>What it puts or takes off.</summary>
    public string? Content { get; init; }

    /// <summary>How many it takes off at the left.</summary>
    public int Start { get; init; }

    /// <summary>How many it takes off at the right.</summary>
    public int Stop { get; init; }

    /// <summary>Whether the beginning of the text is treated apart.</summary>
    public bool Prefixed { get; init; }

    /// <summary>Word pieces and CTC: spaces before punctuation and English contractions are taken out.</summary>
    public bool Cleanup { get; init; }
}

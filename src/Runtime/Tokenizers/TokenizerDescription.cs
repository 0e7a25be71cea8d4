namespace Weft.Tokenizers;

/// <summary>
/// A tokenizer as the packed file's header carries it: the pipeline of Hugging Face's tokenizers library as plain data, whatever file
/// it was read from. Text passes added tokens, normalizers, pre-tokenizers and the model; ids pass the decoder.
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
    public required BpeDescription Model { get; init; }

    /// <summary>Ids put before the text's when special tokens are asked for (usually BOS).</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>Ids put after the text's when special tokens are asked for.</summary>
    public IReadOnlyList<int> Suffix { get; init; } = [];

    /// <summary>How ids become text.</summary>
    public required DecoderDescription Decoder { get; init; }
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

    /// <summary>Replaces every <see cref="NormalizerStep.Pattern"/> by <see cref="NormalizerStep.Content"/>.</summary>
    Replace,

    /// <summary>Unicode normalization form C.</summary>
    Nfc,

    /// <summary>SentencePiece's remove_extra_whitespaces: none at the ends, one between words.</summary>
    CollapseSpaces,
}

/// <summary>One normalizer.</summary>
public sealed record NormalizerStep
{
    /// <summary>What it does.</summary>
    public required NormalizerKind Kind { get; init; }

    /// <summary>Literal text to replace.</summary>
    public string? Pattern { get; init; }

    /// <summary>Text to put.</summary>
    public string? Content { get; init; }
}

/// <summary>What a pre-tokenizer does.</summary>
public enum PreTokenizerKind
{
    /// <summary>Matches of a regular expression and the stretches between them become words.</summary>
    Split,

    /// <summary>Puts a space before text that does not start with one.</summary>
    PrefixSpace,

    /// <summary>Spaces become <see cref="PreTokenizerStep.Pattern"/>, one is put in front of the text.</summary>
    Metaspace,
}

/// <summary>One pre-tokenizer.</summary>
public sealed record PreTokenizerStep
{
    /// <summary>What it does.</summary>
    public required PreTokenizerKind Kind { get; init; }

    /// <summary>Regular expression of a split, or the character that stands for a space.</summary>
    public string? Pattern { get; init; }

    /// <summary>Metaspace: the character is put in front only at the very beginning, not after an added token.</summary>
    public bool OnlyFirst { get; init; }

    /// <summary>Metaspace: nothing is put in front.</summary>
    public bool Never { get; init; }

    /// <summary>Metaspace: each character that stands for a space begins a word.</summary>
    public bool SplitWords { get; init; }
}

/// <summary>Byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909), over bytes or over characters with a fallback to bytes.</summary>
public sealed record BpeDescription
{
    /// <summary>Texts of the tokens by id; null where an id has no token of the model.</summary>
    public required IReadOnlyList<string?> Tokens { get; init; }

    /// <summary>Pairs of ids in falling priority: left, right, left, right, … Absent when <see cref="Scores"/> gives the order.</summary>
    public IReadOnlyList<int>? Merges { get; init; }

    /// <summary>SentencePiece: a pair merges when its joint text is a token, the highest score first.</summary>
    public IReadOnlyList<float>? Scores { get; init; }

    /// <summary>SentencePiece: tokens that are never made of characters (control, unknown, unused); they decode to nothing.</summary>
    public IReadOnlyList<int> ControlTokens { get; init; } = [];

    /// <summary>SentencePiece: tokens that are matched whole, the longest first, before pairs are merged.</summary>
    public IReadOnlyList<int> WholeTokens { get; init; } = [];

    /// <summary>Tokens are spelt in GPT-2's alphabet of 256 printable characters, one a byte.</summary>
    public bool ByteLevel { get; init; }

    /// <summary>Characters without a token become the tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c> of their UTF-8 bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A word that is a token is that token, whatever the merges would give.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Token of what has no token.</summary>
    public int? Unknown { get; init; }

    /// <summary>Neighbouring unknown characters become one unknown token.</summary>
    public bool FuseUnknown { get; init; }
}

/// <summary>How tokens become text. Each token stands for bytes; the bytes are read as UTF-8.</summary>
public sealed record DecoderDescription
{
    /// <summary>Tokens are spelt in GPT-2's byte alphabet.</summary>
    public bool ByteLevel { get; init; }

    /// <summary>Tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c> stand for a byte.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Character that stands for a space.</summary>
    public string? Space { get; init; }

    /// <summary>Spaces that are dropped at the beginning of the text.</summary>
    public int StripLeft { get; init; }
}

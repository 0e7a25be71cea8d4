using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>
/// The tokenizer in a GGUF file's metadata. How its text is split stands there by name only; the expressions are those that llama.cpp has
/// under that name.
/// </summary>
internal static class GgufVocabulary
{
    private const string Space = "\u2581";
    private const string Key = "tokenizer.ggml.";

    // Mistral NeMo's tokenizer: GPT-4o's words without its contractions, and digits one by one.
    private const string Tekken =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        + @"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // Names under which llama.cpp takes Llama 3's other habits as well: words of the vocabulary are not merged, and a text has a beginning.
    private static readonly string[] LikeLlama3 = ["llama3", "llama-v3", "llama-bpe", "falcon3"];

    private static readonly Dictionary<string, string[]> Patterns = new()
    {
        ["gpt-2"] = [WordPatterns.Gpt2],
        ["mpt"] = [WordPatterns.Gpt2],
        ["olmo"] = [WordPatterns.Gpt2],
        ["phi-2"] = [WordPatterns.Gpt2],
        ["gpt-neox"] = [WordPatterns.Gpt2],
        ["starcoder"] = [@"\p{N}", WordPatterns.Gpt2],
        ["refact"] = [@"\p{N}", WordPatterns.Gpt2],
        ["command-r"] = [@"\p{N}", WordPatterns.Gpt2],
        ["smollm"] = [@"\p{N}", WordPatterns.Gpt2],
        ["codeshell"] = [@"\p{N}", WordPatterns.Gpt2],
        ["falcon"] = [@"[\p{P}$+<=>^~|`]+", WordPatterns.Gpt2, "[0-9][0-9][0-9]"],
        ["default"] = [@"[\p{P}$+<=>^~|]+", WordPatterns.Gpt2, @"\p{N}+", "[0-9][0-9][0-9]"],
        ["llama-bpe"] = [WordPatterns.Llama3],
        ["llama3"] = [WordPatterns.Llama3],
        ["llama-v3"] = [WordPatterns.Llama3],
        ["falcon3"] = [WordPatterns.Llama3],
        ["dbrx"] = [WordPatterns.Llama3],
        ["smaug-bpe"] = [WordPatterns.Llama3],
        ["glm4"] = [WordPatterns.Llama3],
        ["chatglm-bpe"] = [WordPatterns.Llama3],
        ["qwen2"] = [WordPatterns.Qwen],
        ["deepseek-r1-qwen"] = [WordPatterns.Qwen],
        ["megrez"] = [WordPatterns.Qwen],
        ["gpt-4o"] = [WordPatterns.O200k],
        ["tekken"] = [Tekken],
        ["deepseek-coder"] = [@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+", @"\p{N}"],
        ["stablelm2"] = [WordPatterns.Qwen],
        ["bloom"] = [@" ?[^(\s|.,!?…。，、।۔،)]+"],
    };

    private enum GgufTokenType
    {
        Normal = 1,
        Unknown = 2,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6,
    }

    /// <summary>Reads the tokenizer of a file.</summary>
    /// <exception cref="WeftException">There is none, or it is of a kind that is not supported.</exception>
    public static TokenizerDescription Read(GgufFile file)
    {
        var tokens = file.Find<List<string>>(Key + "tokens") ?? throw new WeftException("the file has no vocabulary");
        var types = file.Find<List<long>>(Key + "token_type") ?? [.. tokens.Select(_ => 1L)];
        if (types.Count != tokens.Count)
            throw new WeftException($"the vocabulary has {tokens.Count} tokens, but types of {types.Count}");
        List<int> Of(params GgufTokenType[] kinds) => [.. Enumerable.Range(0, tokens.Count).Where(id => kinds.Contains((GgufTokenType)types[id]))];
        var kind = file.Find<string>(Key + "model");
        var tokenizer = kind switch
        {
            "gpt2" => Bpe(file, tokens),
            "llama" or "t5" => Pieces(file, tokens, Of, kind == "t5"),
            "bert" => WordPieces(file, tokens),
            "rwkv" => RwkvVocabulary.Describe([.. tokens.Select((token, id) => types[id] == (int)GgufTokenType.Normal ? RwkvVocabulary.Escaped(token) : null)]),
            _ => throw TokenizerJson.Unsupported("vocabulary", kind, "gpt2, llama, t5, bert, rwkv"),
        };
        AddedToken Added(int id, bool special) => new() { Id = id, Content = tokens[id], Special = special };
        return tokenizer with
        {
            AddedTokens = [.. Of(GgufTokenType.Control).Select(id => Added(id, special: true)), .. Of(GgufTokenType.UserDefined).Select(id => Added(id, special: false))],
            Prefix = file.FindFlag(Key + "add_bos_token", kind is "llama" or "bert" || LikeLlama3.Contains(file.Find<string>(Key + "pre"))) ? Id(kind == "bert" ? "cls_token_id" : "bos_token_id") : [],
            Suffix = file.FindFlag(Key + "add_eos_token", kind == "t5") ? Id("eos_token_id") : kind == "bert" ? Id("seperator_token_id") : [],
        };

        int[] Id(string name) => file.FindInteger(Key + name) is { } id && id >= 0 && id < tokens.Count ? [(int)id] : [];
    }

    private static TokenizerDescription Bpe(GgufFile file, List<string> tokens)
    {
        var pre = file.Find<string>(Key + "pre") ?? "default";
        if (!Patterns.TryGetValue(pre, out var patterns))
            throw TokenizerJson.Unsupported("way to split text", pre, string.Join(", ", Patterns.Keys));
        var ids = new Dictionary<string, int>();
        for (var id = 0; id < tokens.Count; id++)
            ids.TryAdd(tokens[id], id);
        var merges = file.Find<List<string>>(Key + "merges") ?? throw new WeftException("the vocabulary has no merges");
        return new()
        {
            Normalizers = pre is "qwen2" or "deepseek-r1-qwen" ? [new() { Kind = NormalizerKind.Nfc }] : [],
            PreTokenizers = [.. patterns.Select(pattern => new PreTokenizerStep { Kind = PreTokenizerKind.Split, Pattern = pattern })],
            Model = new()
            {
                Tokens = [.. tokens],
                Merges = TokenModelJson.PairIds(merges.Select(TokenModelJson.Halves), ids),
                ByteLevel = true,
                IgnoreMerges = LikeLlama3.Contains(pre) || pre == "tekken",
            },
            Decoders = [new() { Kind = DecoderKind.ByteAlphabet }],
        };
    }

    private static TokenizerDescription Pieces(GgufFile file, List<string> tokens, Func<GgufTokenType[], List<int>> of, bool unigram)
    {
        var prefixes = file.FindFlag(Key + "add_space_prefix", whenMissing: true);
        var collapses = file.FindFlag(Key + "remove_extra_whitespaces", whenMissing: false);
        var fallsBack = of([GgufTokenType.Byte]).Count > 0;
        var normalizers = new List<NormalizerStep>();
        var map = file.Find<List<long>>(Key + "precompiled_charsmap") is { } values ? System.Convert.ToBase64String([.. values.Select(value => (byte)value)]) : null;
        if (collapses)
            normalizers.Add(new() { Kind = NormalizerKind.CollapseSpaces, Pattern = Space, Content = map });
        else if (map is not null)
            normalizers.Add(new() { Kind = NormalizerKind.CharacterMap, Content = map });
        if (prefixes)
            normalizers.Add(new() { Kind = NormalizerKind.Prepend, Content = " " });
        normalizers.Add(new() { Kind = NormalizerKind.Replace, Pattern = " ", Content = Space });
        return new()
        {
            Normalizers = normalizers,
            Model = new()
            {
                Kind = unigram ? TokenModelKind.Unigram : TokenModelKind.Bpe,
                Tokens = [.. tokens],
                Scores = file.Find<List<double>>(Key + "scores") ?? throw new WeftException("the vocabulary has no scores"),
                SingleSums = unigram,
                ControlTokens = of([GgufTokenType.Unknown, GgufTokenType.Control, GgufTokenType.Unused]),
                WholeTokens = of([GgufTokenType.UserDefined]),
                ByteFallback = fallsBack,
                Unknown = of([GgufTokenType.Unknown]).Cast<int?>().FirstOrDefault(),
                FuseUnknown = true,
            },
            Decoders = SentencePieceFile.Decoders(fallsBack, " \u2047 ", prefixes, collapses),
        };
    }

    /// <summary>llama.cpp marks the beginning of words where BERT's vocabulary marks their continuation.</summary>
    private static TokenizerDescription WordPieces(GgufFile file, List<string> tokens) => new()
    {
        Normalizers = [.. new[] { NormalizerKind.CleanText, NormalizerKind.SpaceIdeographs, NormalizerKind.Nfd, NormalizerKind.StripNonSpacingMarks, NormalizerKind.Lowercase }.Select(kind => new NormalizerStep { Kind = kind })],
        PreTokenizers = PreTokenizerJson.BertWords,
        Model = new()
        {
            Kind = TokenModelKind.WordPiece,
            Tokens = [.. tokens.Select(token => token.StartsWith(Space, StringComparison.Ordinal) ? token[1..] : token.StartsWith('[') && token.EndsWith(']') ? token : "##" + token)],
            Unknown = file.FindInteger(Key + "unknown_token_id") is { } id && id >= 0 && id < tokens.Count ? (int)id : null,
            ContinuingPrefix = "##",
            LongestWord = 100,
        },
        Decoders = [new() { Kind = DecoderKind.WordPiece, Pattern = "##", Cleanup = true }],
    };
}

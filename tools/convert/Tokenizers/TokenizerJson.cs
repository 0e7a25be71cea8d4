using System.Text.Json;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads Hugging Face's tokenizer.json into a <see cref="TokenizerDescription"/>.</summary>
internal static class TokenizerJson
{
    // GPT-2's own split, which a ByteLevel pre-tokenizer implies unless use_regex is false.
    private const string Gpt2Split = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public static TokenizerDescription Read(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        var root = document.RootElement;
        var preTokenizers = new List<PreTokenizerStep>();
        var byteLevel = ReadPreTokenizer(root.Optional("pre_tokenizer"), preTokenizers);
        var model = BpeJson.Read(root.GetProperty("model"), byteLevel);
        var (prefix, suffix) = ReadPostProcessor(root.Optional("post_processor"));
        var normalizers = new List<NormalizerStep>();
        ReadNormalizer(root.Optional("normalizer"), normalizers);
        return new TokenizerDescription
        {
            AddedTokens = [.. (root.Optional("added_tokens")?.EnumerateArray() ?? default).Select(ReadAddedToken)],
            Normalizers = normalizers,
            PreTokenizers = preTokenizers,
            Model = model,
            Prefix = prefix,
            Suffix = suffix,
            Decoder = ReadDecoder(root.Optional("decoder")),
        };
    }

    private static AddedToken ReadAddedToken(JsonElement token) => new()
    {
        Id = token.GetProperty("id").GetInt32(),
        Content = token.GetProperty("content").GetString()!,
        Special = token.Flag("special"),
        StripLeft = token.Flag("lstrip"),
        StripRight = token.Flag("rstrip"),
        Normalized = token.Flag("normalized"),
        SingleWord = token.Flag("single_word"),
    };

    private static void ReadNormalizer(JsonElement? element, List<NormalizerStep> steps)
    {
        if (element is not { } normalizer)
            return;
        switch (normalizer.Type())
        {
            case "Sequence":
                foreach (var part in normalizer.GetProperty("normalizers").EnumerateArray())
                    ReadNormalizer(part, steps);
                break;
            case "Prepend":
                steps.Add(new() { Kind = NormalizerKind.Prepend, Content = normalizer.GetProperty("prepend").GetString() });
                break;
            case "Replace":
                steps.Add(new()
                {
                    Kind = NormalizerKind.Replace,
                    Pattern = Literal(normalizer, "normalizer"),
                    Content = normalizer.GetProperty("content").GetString(),
                });
                break;
            case "NFC":
                steps.Add(new() { Kind = NormalizerKind.Nfc });
                break;
            case var type:
                throw Unsupported("normalizer", type, "Sequence, Prepend, Replace, NFC");
        }
    }

    /// <returns>Whether words are spelt in the byte alphabet.</returns>
    private static bool ReadPreTokenizer(JsonElement? element, List<PreTokenizerStep> steps)
    {
        if (element is not { } preTokenizer)
            return false;
        switch (preTokenizer.Type())
        {
            case "Sequence":
                var byteLevel = false;
                foreach (var part in preTokenizer.GetProperty("pretokenizers").EnumerateArray())
                {
                    if (byteLevel)
                        throw new WeftException("a pre-tokenizer after ByteLevel works on the byte alphabet, which is not supported");
                    byteLevel = ReadPreTokenizer(part, steps);
                }

                return byteLevel;
            case "Split":
                if (preTokenizer.Flag("invert") || preTokenizer.GetProperty("behavior").GetString() != "Isolated")
                    throw Unsupported("split behaviour", preTokenizer.GetProperty("behavior").GetString(), "Isolated, not inverted");
                steps.Add(new() { Kind = PreTokenizerKind.Split, Pattern = Expression(preTokenizer.GetProperty("pattern")) });
                return false;
            case "ByteLevel":
                if (preTokenizer.Flag("add_prefix_space", whenMissing: true))
                    steps.Add(new() { Kind = PreTokenizerKind.PrefixSpace });
                if (preTokenizer.Flag("use_regex", whenMissing: true))
                    steps.Add(new() { Kind = PreTokenizerKind.Split, Pattern = Gpt2Split });
                return true;
            case "Metaspace":
                var scheme = preTokenizer.Optional("prepend_scheme")?.GetString()
                    ?? (preTokenizer.Flag("add_prefix_space", whenMissing: true) ? "always" : "never");
                steps.Add(new()
                {
                    Kind = PreTokenizerKind.Metaspace,
                    Pattern = preTokenizer.GetProperty("replacement").GetString(),
                    OnlyFirst = scheme == "first",
                    Never = scheme == "never",
                    SplitWords = preTokenizer.Flag("split", whenMissing: true),
                });
                return false;
            case var type:
                throw Unsupported("pre-tokenizer", type, "Sequence, Split, ByteLevel, Metaspace");
        }
    }

    private static (int[] Prefix, int[] Suffix) ReadPostProcessor(JsonElement? element)
    {
        if (element is not { } processor)
            return ([], []);
        switch (processor.Type())
        {
            case "Sequence":
                var parts = processor.GetProperty("processors").EnumerateArray().Select(part => ReadPostProcessor(part)).ToList();
                // A later processor wraps what the earlier ones made.
                return ([.. parts.AsEnumerable().Reverse().SelectMany(part => part.Prefix)], [.. parts.SelectMany(part => part.Suffix)]);
            case "ByteLevel":
                return ([], []);
            case "TemplateProcessing":
                var ids = processor.GetProperty("special_tokens");
                var (prefix, suffix) = (new List<int>(), new List<int>());
                var target = prefix;
                foreach (var piece in processor.GetProperty("single").EnumerateArray())
                {
                    if (piece.Optional("SpecialToken") is not { } token)
                        target = suffix;
                    else
                        target.AddRange(ids.GetProperty(token.GetProperty("id").GetString()!).GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
                }

                return ([.. prefix], [.. suffix]);
            case var type:
                throw Unsupported("post-processor", type, "Sequence, ByteLevel, TemplateProcessing");
        }
    }

    private static DecoderDescription ReadDecoder(JsonElement? element)
    {
        if (element is not { } decoder)
            return new();
        switch (decoder.Type())
        {
            case "Sequence":
                return decoder.GetProperty("decoders").EnumerateArray().Select(part => ReadDecoder(part)).Aggregate(new DecoderDescription(), (a, b) => new()
                {
                    ByteLevel = a.ByteLevel || b.ByteLevel,
                    ByteFallback = a.ByteFallback || b.ByteFallback,
                    Space = a.Space ?? b.Space,
                    StripLeft = a.StripLeft + b.StripLeft,
                });
            case "ByteLevel":
                return new() { ByteLevel = true };
            case "ByteFallback":
                return new() { ByteFallback = true };
            case "Fuse":
                return new();
            case "Replace" when decoder.GetProperty("content").GetString() == " ":
                return new() { Space = Literal(decoder, "decoder") };
            case "Strip" when decoder.GetProperty("content").GetString() == " " && decoder.GetProperty("stop").GetInt32() == 0:
                return new() { StripLeft = decoder.GetProperty("start").GetInt32() };
            case "Metaspace":
                var prepends = decoder.Optional("prepend_scheme")?.GetString() != "never" && decoder.Flag("add_prefix_space", whenMissing: true);
                return new() { Space = decoder.GetProperty("replacement").GetString(), StripLeft = prepends ? 1 : 0 };
            case var type:
                throw Unsupported("decoder", type, "Sequence, ByteLevel, ByteFallback, Fuse, Replace by a space, Strip of spaces, Metaspace");
        }
    }

    private static string Literal(JsonElement element, string part) =>
        element.GetProperty("pattern").Optional("String")?.GetString()
        ?? throw Unsupported($"pattern of a {part}", "Regex", "a literal string");

    private static string Expression(JsonElement pattern) =>
        pattern.Optional("Regex")?.GetString() ?? System.Text.RegularExpressions.Regex.Escape(pattern.GetProperty("String").GetString()!);

    internal static WeftException Unsupported(string part, string? type, string supported) =>
        new($"the {part} '{type}' is not supported; supported are {supported}");
}

using System.Text.Json;
using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads Hugging Face's tokenizer.json into a <see cref="TokenizerDescription"/>.</summary>
internal static class TokenizerJson
{
    private const int MostAround = 1024;

    public static TokenizerDescription Read(string path)
    {
        using var document = JsonDocument.Parse(SourceReader.ReadAll(path));
        var root = document.RootElement;
        var model = TokenModelJson.Read(root.GetProperty("model"));
        var normalizers = new List<NormalizerStep>();
        NormalizerJson.Read(root.Optional("normalizer"), normalizers);
        var preTokenizers = new List<PreTokenizerStep>();
        PreTokenizerJson.Read(root.Optional("pre_tokenizer"), preTokenizers);
        // Words that are spelt in the byte alphabet last are the same as bytes, of which BPE makes its symbols without the detour; not where
        // a byte has no token, for which that of its letter stands in.
        if (model is { Kind: TokenModelKind.Bpe, ContinuingPrefix: null, WordSuffix: null } && preTokenizers is [.., { Kind: PreTokenizerKind.ByteAlphabet }] && HasByteAlphabet(model))
        {
            preTokenizers.RemoveAt(preTokenizers.Count - 1);
            model = model with { ByteLevel = true };
        }

        var (prefix, suffix) = ReadPostProcessor(root.Optional("post_processor"));
        return new TokenizerDescription
        {
            AddedTokens = [.. (root.Optional("added_tokens")?.EnumerateArray() ?? default).Select(token => ReadAddedToken(token.GetProperty("id").GetInt32(), token))],
            Normalizers = normalizers,
            PreTokenizers = preTokenizers,
            Model = model,
            Prefix = prefix,
            Suffix = suffix,
            Decoders = root.Optional("decoder") is { } decoder ? DecoderJson.Read(decoder) : [new() { Kind = DecoderKind.Spaces }],
        };
    }

    /// <summary>Reads an added token, which tokenizer_config.json spells the same way.</summary>
    public static AddedToken ReadAddedToken(int id, JsonElement token) => new()
    {
        Id = id,
        Content = token.GetProperty("content").GetString() ?? throw new WeftException("the tokenizer has an added token without a text"),
        Special = token.Flag("special"),
        StripLeft = token.Flag("lstrip"),
        StripRight = token.Flag("rstrip"),
        Normalized = token.Flag("normalized"),
        SingleWord = token.Flag("single_word"),
    };

    /// <summary>Whether every byte that UTF-8 uses has a token.</summary>
    private static bool HasByteAlphabet(TokenModelDescription model)
    {
        var letters = model.Tokens.Where(token => token?.Length == 1).ToHashSet();
        return Enumerable.Range(0, 0xF5).Where(value => value is not (0xC0 or 0xC1)).All(value => letters.Contains(ByteAlphabet.Spell([(byte)value])));
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
            case "BertProcessing" or "RobertaProcessing":
                return ([processor.GetProperty("cls")[1].GetInt32()], [processor.GetProperty("sep")[1].GetInt32()]);
            case "TemplateProcessing":
                return ReadTemplate(processor);
            case var type:
                throw Unsupported("post-processor", type, "Sequence, ByteLevel, BertProcessing, RobertaProcessing, TemplateProcessing");
        }
    }

    private static (int[] Prefix, int[] Suffix) ReadTemplate(JsonElement processor)
    {
        var ids = processor.GetProperty("special_tokens");
        var (prefix, suffix) = (new List<int>(), new List<int>());
        var texts = 0;
        foreach (var piece in processor.GetProperty("single").EnumerateArray())
        {
            if (piece.Optional("SpecialToken") is not { } token)
            {
                texts++;
                continue;
            }

            if (prefix.Count + suffix.Count > MostAround)
                throw new WeftException($"the tokenizer's template has more than {MostAround} tokens");
            (texts == 0 ? prefix : suffix).AddRange(ids.GetProperty(token.GetProperty("id").GetString()!).GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
        }

        return texts == 1 ? ([.. prefix], [.. suffix]) : throw new WeftException($"the tokenizer's template has the text {texts} times, not once");
    }

    internal static WeftException Unsupported(string part, string? type, string supported) =>
        new($"the {part} '{type}' is not supported; supported are {supported}");
}

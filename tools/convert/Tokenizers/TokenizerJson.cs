using System.Text.Json;
using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads Hugging Face's tokenizer.json into a <see cref="TokenizerDescription"/>.</summary>
internal static class TokenizerJson
{
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

        var (prefix, suffix) = root.Optional("post_processor") is { } processor ? PostProcessorJson.Read(processor) : ([], []);
        return new TokenizerDescription
        {
            AddedTokens = root.Optional("added_tokens") is { } added ? AddedTokenJson.Read(added, model) : [],
            Normalizers = normalizers,
            PreTokenizers = preTokenizers,
            Model = model,
            Prefix = prefix,
            Suffix = suffix,
            Decoders = root.Optional("decoder") is { } decoder ? DecoderJson.Read(decoder) : [new() { Kind = DecoderKind.Spaces }],
        };
    }

    /// <summary>Whether every byte that UTF-8 uses has a token.</summary>
    private static bool HasByteAlphabet(TokenModelDescription model)
    {
        var letters = model.Tokens.Where(token => token?.Length == 1).ToHashSet();
        return Enumerable.Range(0, 0xF5).Where(value => value is not (0xC0 or 0xC1)).All(value => letters.Contains(ByteAlphabet.Spell([(byte)value])));
    }

    internal static WeftException Unsupported(string part, string? type, string supported) =>
        new($"the {part} '{type}' is not supported; supported are {supported}");
}

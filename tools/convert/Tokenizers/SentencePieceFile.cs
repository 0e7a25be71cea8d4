using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Describes a SentencePiece model of type BPE or unigram; what the classes built on it add is in <see cref="SentencePieceClasses"/>.</summary>
internal static class SentencePieceFile
{
    private const string Space = "\u2581";

    public static TokenizerDescription Read(string path, TokenizerConfig config)
    {
        var model = SentencePieceModel.Read(SourceReader.ReadAll(path));
        return SentencePieceClasses.Complete(Describe(model), model, config, path);
    }

    /// <summary>The model alone: no special tokens around a text.</summary>
    public static TokenizerDescription Describe(SentencePieceModel model)
    {
        if (model.ModelType is not (1 or 2))
            throw TokenizerJson.Unsupported("SentencePiece model type", $"{model.ModelType}", "unigram (1) and BPE (2)");
        if (model.SpacesAreSuffixes)
            throw new WeftException("the SentencePiece model puts spaces after words, which is not supported");
        var fallsBack = model.IdsOf(PieceType.Byte).Count > 0;
        return new TokenizerDescription
        {
            Normalizers = [.. Normalizers(model)],
            Model = new TokenModelDescription
            {
                Kind = model.ModelType == 1 ? TokenModelKind.Unigram : TokenModelKind.Bpe,
                Tokens = [.. model.Pieces.Select(piece => piece.Text)],
                Scores = [.. model.Pieces.Select(piece => piece.Score)],
                SingleSums = model.ModelType == 1,
                ControlTokens = model.IdsOf(PieceType.Control, PieceType.Unknown, PieceType.Unused),
                WholeTokens = model.IdsOf(PieceType.UserDefined),
                ByteFallback = fallsBack,
                Unknown = model.IdsOf(PieceType.Unknown).Cast<int?>().FirstOrDefault(),
                FuseUnknown = true,
            },
            Decoders = Decoders(fallsBack, model.UnknownSurface, model.EscapeSpaces, model.AddDummyPrefix, model.RemoveExtraSpaces),
        };
    }

    /// <summary>How pieces become text.</summary>
    public static DecoderStep[] Decoders(bool fallsBack, string unknown, bool escapes, bool addsPrefix, bool removesSpaces)
    {
        var pieces = new DecoderStep
        {
            Kind = DecoderKind.Pieces,
            Pattern = escapes ? Space : null,
            Content = unknown,
            Prefixed = addsPrefix || removesSpaces,
            Cleanup = removesSpaces,
        };
        return fallsBack ? [pieces, new() { Kind = DecoderKind.ByteFallback }] : [pieces];
    }

    private static IEnumerable<NormalizerStep> Normalizers(SentencePieceModel model)
    {
        if (model.CharacterMap.Length > 0)
            yield return new() { Kind = NormalizerKind.CharacterMap, Content = System.Convert.ToBase64String(model.CharacterMap) };
        if (model.RemoveExtraSpaces)
            yield return new() { Kind = NormalizerKind.CollapseSpaces, Pattern = model.EscapeSpaces ? Space : null };
        if (model.AddDummyPrefix)
            yield return new() { Kind = NormalizerKind.Prepend, Content = " " };
        if (model.EscapeSpaces)
            yield return new() { Kind = NormalizerKind.Replace, Pattern = " ", Content = Space };
    }
}

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
        if (model.HasDenormalizer)
            throw new WeftException("the SentencePiece model has rules for texts that are decoded, which is not supported");
        var fallsBack = model.IdsOf(PieceType.Byte).Count > 0;
        return new TokenizerDescription
        {
            Normalizers = [.. Normalizers(model)],
            Model = new TokenModelDescription
            {
                Kind = model.ModelType == 1 ? TokenModelKind.Unigram : TokenModelKind.Bpe,
                Tokens = [.. model.Pieces.Select(piece => piece.Text)],
                Scores = [.. model.Pieces.Select(piece => (double)piece.Score)],
                SingleSums = model.ModelType == 1,
                ControlTokens = model.IdsOf(PieceType.Control, PieceType.Unknown),
                UnusedTokens = model.IdsOf(PieceType.Unused),
                WholeTokens = model.IdsOf(PieceType.UserDefined),
                ByteFallback = fallsBack,
                Unknown = model.IdsOf(PieceType.Unknown).Cast<int?>().FirstOrDefault(),
                FuseUnknown = true,
            },
            Decoders = Decoders(fallsBack, model.UnknownSurface, model.AddDummyPrefix, model.RemoveExtraSpaces),
        };
    }

    /// <summary>How pieces become text.</summary>
    public static DecoderStep[] Decoders(bool fallsBack, string unknown, bool addsPrefix, bool removesSpaces)
    {
        var pieces = new DecoderStep
        {
            Kind = DecoderKind.Pieces,
            Pattern = Space,
            Content = unknown,
            Prefixed = addsPrefix || removesSpaces,
            Cleanup = removesSpaces,
        };
        return fallsBack ? [pieces, new() { Kind = DecoderKind.ByteFallback }] : [pieces];
    }

    private static IEnumerable<NormalizerStep> Normalizers(SentencePieceModel model)
    {
        var map = model.CharacterMap.Length > 0 ? System.Convert.ToBase64String(model.CharacterMap) : null;
        var dummy = new NormalizerStep { Kind = model.SpacesAreSuffixes ? NormalizerKind.Append : NormalizerKind.Prepend, Content = " " };
        // It is also put beside a text of which the map leaves nothing; but then it goes where spaces are removed.
        if (model is { AddDummyPrefix: true, RemoveExtraSpaces: false })
            yield return dummy;
        if (model.RemoveExtraSpaces)
            yield return new() { Kind = NormalizerKind.CollapseSpaces, Pattern = model.EscapeSpaces ? Space : null, Content = map };
        else if (map is not null)
            yield return new() { Kind = NormalizerKind.CharacterMap, Content = map };
        if (model is { AddDummyPrefix: true, RemoveExtraSpaces: true })
            yield return dummy;
        if (model.EscapeSpaces)
            yield return new() { Kind = NormalizerKind.Replace, Pattern = " ", Content = Space };
    }
}

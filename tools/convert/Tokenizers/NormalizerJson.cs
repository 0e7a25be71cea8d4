using System.Text.Json;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads the normalizer of a tokenizer.json.</summary>
internal static class NormalizerJson
{
    private const string Supported =
        "Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Nmt, Precompiled, BertNormalizer, ByteLevel";

    public static void Read(JsonElement? element, List<NormalizerStep> steps)
    {
        if (element is not { } normalizer)
            return;
        switch (normalizer.Type())
        {
            case "Sequence":
                foreach (var part in normalizer.GetProperty("normalizers").EnumerateArray())
                    Read(part, steps);
                break;
            case "Prepend":
                steps.Add(new() { Kind = NormalizerKind.Prepend, Content = normalizer.GetProperty("prepend").GetString() });
                break;
            case "Replace":
                var literal = normalizer.Literal();
                steps.Add(new()
                {
                    Kind = literal is null ? NormalizerKind.ReplaceExpression : NormalizerKind.Replace,
                    Pattern = literal ?? normalizer.Expression(),
                    Content = normalizer.GetProperty("content").GetString(),
                });
                break;
            case "Strip":
                AddIf(normalizer.Flag("strip_left"), NormalizerKind.StripLeft);
                AddIf(normalizer.Flag("strip_right"), NormalizerKind.StripRight);
                break;
            case "Precompiled":
                steps.Add(new() { Kind = NormalizerKind.ClusterMap, Content = normalizer.Optional("precompiled_charsmap")?.GetString() });
                break;
            case "BertNormalizer":
                var lower = normalizer.Flag("lowercase", whenMissing: true);
                var strips = normalizer.Flag("strip_accents", whenMissing: lower);
                AddIf(normalizer.Flag("clean_text", whenMissing: true), NormalizerKind.CleanText);
                AddIf(normalizer.Flag("handle_chinese_chars", whenMissing: true), NormalizerKind.SpaceIdeographs);
                AddIf(strips, NormalizerKind.Nfd);
                AddIf(strips, NormalizerKind.StripNonSpacingMarks);
                AddIf(lower, NormalizerKind.Lowercase);
                break;
            case var type:
                AddIf(true, type switch
                {
                    "NFC" => NormalizerKind.Nfc,
                    "NFD" => NormalizerKind.Nfd,
                    "NFKC" => NormalizerKind.Nfkc,
                    "NFKD" => NormalizerKind.Nfkd,
                    "Lowercase" => NormalizerKind.Lowercase,
                    "StripAccents" => NormalizerKind.StripMarks,
                    "Nmt" => NormalizerKind.Nmt,
                    "ByteLevel" => NormalizerKind.ByteAlphabet,
                    _ => throw TokenizerJson.Unsupported("normalizer", type, Supported),
                });
                break;
        }

        void AddIf(bool wanted, NormalizerKind kind)
        {
            if (wanted)
                steps.Add(new() { Kind = kind });
        }
    }
}

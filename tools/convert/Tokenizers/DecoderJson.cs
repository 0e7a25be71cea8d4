using System.Text.Json;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads the decoder of a tokenizer.json.</summary>
internal static class DecoderJson
{
    private const string Supported = "Sequence, ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, WordPiece, BPEDecoder, CTC";

    public static IReadOnlyList<DecoderStep> Read(JsonElement decoder)
    {
        switch (decoder.Type())
        {
            case "Sequence":
                return [.. decoder.GetProperty("decoders").EnumerateArray().SelectMany(Read)];
            case "ByteLevel":
                return [new() { Kind = DecoderKind.ByteAlphabet }];
            case "ByteFallback":
                return [new() { Kind = DecoderKind.ByteRuns }];
            case "Fuse":
                return [new() { Kind = DecoderKind.Fuse }];
            case "Replace":
                var literal = decoder.Literal();
                return
                [
                    new()
                    {
                        Kind = literal is null ? DecoderKind.ReplaceExpression : DecoderKind.Replace,
                        Pattern = literal ?? decoder.Expression(),
                        Content = decoder.GetProperty("content").GetString(),
                    },
                ];
            case "Strip":
                return
                [
                    new()
                    {
                        Kind = DecoderKind.Strip,
                        Content = decoder.GetProperty("content").GetString(),
                        Start = decoder.GetProperty("start").GetInt32(),
                        Stop = decoder.GetProperty("stop").GetInt32(),
                    },
                ];
            case "Metaspace":
                return
                [
                    new()
                    {
                        Kind = DecoderKind.Metaspace,
                        Pattern = decoder.GetProperty("replacement").GetString(),
                        Prefixed = decoder.Optional("prepend_scheme")?.GetString() != "never" && decoder.Flag("add_prefix_space", whenMissing: true),
                    },
                ];
            case "WordPiece":
                return [new() { Kind = DecoderKind.WordPiece, Pattern = decoder.Optional("prefix")?.GetString() ?? "##", Cleanup = decoder.Flag("cleanup", whenMissing: true) }];
            case "BPEDecoder":
                return [new() { Kind = DecoderKind.WordSuffix, Pattern = decoder.Optional("suffix")?.GetString() ?? "</w>" }];
            case "CTC":
                return
                [
                    new()
                    {
                        Kind = DecoderKind.Ctc,
                        Pattern = decoder.Optional("pad_token")?.GetString() ?? "<pad>",
                        Content = decoder.Optional("word_delimiter_token")?.GetString() ?? "|",
                        Cleanup = decoder.Flag("cleanup", whenMissing: true),
                    },
                ];
            case var type:
                throw TokenizerJson.Unsupported("decoder", type, Supported);
        }
    }
}

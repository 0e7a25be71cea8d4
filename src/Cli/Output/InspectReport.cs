using System.Globalization;
using System.Text.Json.Serialization;
using Weft.Models;
using Weft.Tensors;
using Weft.Tokenizers;
using Weft.Weights;

namespace Weft.Cli.Output;

/// <summary>What <c>weft inspect</c> found.</summary>
/// <param name="Path">The packed file.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="ChecksumsVerified">Every tensor was read and agrees with its checksum.</param>
/// <param name="Parameters">Elements of all tensors.</param>
/// <param name="BytesByDtype">Bytes of tensors per element type.</param>
/// <param name="Tokenizer">The tokenizer inside in a few words, or null.</param>
/// <param name="HasChatTemplate">A chat template is inside.</param>
/// <param name="Model">The model in building blocks.</param>
/// <param name="Generation">Special tokens and recommended sampling settings.</param>
/// <param name="Provenance">Where the file came from.</param>
/// <param name="Tensors">One row per tensor.</param>
internal sealed record InspectReport(
    string Path,
    long Bytes,
    bool ChecksumsVerified,
    long Parameters,
    IReadOnlyDictionary<string, long> BytesByDtype,
    string? Tokenizer,
    bool HasChatTemplate,
    ModelDescription Model,
    GenerationDefaults Generation,
    Provenance Provenance,
    IReadOnlyList<TensorRow> Tensors)
{
    /// <summary>Summarises a header.</summary>
    public static InspectReport Of(WeftFile file, bool verified)
    {
        var header = file.Header;
        return new(
            file.Path,
            file.Length,
            verified,
            header.Tensors.Sum(Elements),
            header.Tensors.GroupBy(t => t.DataType.Name()).ToDictionary(g => g.Key, g => g.Sum(t => t.Length)),
            header.Tokenizer is { } tokenizer ? Describe(tokenizer) : null,
            header.ChatTemplate is not null,
            header.Model,
            header.Generation,
            header.Provenance,
            [.. header.Tensors.Select(t => new TensorRow(
                t.Name, t.DataType, t.Shape, t.Offset, t.Length, t.Checksum.ToString("x8", CultureInfo.InvariantCulture)))]);
    }

    private static string Describe(TokenizerDescription tokenizer)
    {
        var kind = tokenizer.Model switch
        {
            { Kind: TokenModelKind.Unigram } => "unigram",
            { Kind: TokenModelKind.WordPiece } => "word pieces",
            { Kind: TokenModelKind.WordLevel } => "whole words",
            { Kind: TokenModelKind.LongestMatch } => "longest match",
            { ByteLevel: true } => "byte-level BPE",
            { Scores: not null } => "SentencePiece BPE",
            { ByteFallback: true } => "BPE with byte fallback",
            _ => "BPE",
        };
        var tokens = tokenizer.Model.Tokens.Count(token => token is not null);
        return string.Create(CultureInfo.InvariantCulture, $"{kind}, {tokens:N0} tokens and {tokenizer.AddedTokens.Count:N0} added ones");
    }

    private static long Elements(TensorEntry tensor) => tensor.Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>One tensor of a packed file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DataType">Element type.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Offset">Bytes from the start of the file.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Checksum">CRC-32C, eight hexadecimal digits.</param>
internal sealed record TensorRow(
    string Name,
    [property: JsonPropertyName("dtype")] DataType DataType,
    IReadOnlyList<int> Shape,
    long Offset,
    long Length,
    string Checksum);

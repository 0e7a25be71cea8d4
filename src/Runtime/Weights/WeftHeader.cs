using System.Text.Json.Serialization;
using Weft.Chat;
using Weft.Models;
using Weft.Tensors;
using Weft.Tokenizers;

namespace Weft.Weights;

/// <summary>The JSON header of a packed file; <c>docs/format.md</c> specifies it.</summary>
public sealed record WeftHeader
{
    /// <summary>The model in building blocks.</summary>
    public required ModelDescription Model { get; init; }

    /// <summary>The tokenizer, or null when the checkpoint had none.</summary>
    public TokenizerDescription? Tokenizer { get; init; }

    /// <summary>The chat template (Jinja), or null.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>What the chat template needs beside its text; null for nothing.</summary>
    public ChatSettings? Chat { get; init; }

    /// <summary>Special tokens and recommended sampling settings.</summary>
    public GenerationDefaults Generation { get; init; } = new();

    /// <summary>Where the file came from.</summary>
    public required Provenance Provenance { get; init; }

    /// <summary>One row per tensor, in file order.</summary>
    public required IReadOnlyList<TensorEntry> Tensors { get; init; }
}

/// <summary>How the elements of a tensor are ordered in the file.</summary>
public enum TensorLayout
{
    /// <summary>Row-major, last dimension contiguous.</summary>
    RowMajor,

    /// <summary>Codes of a quantized matrix, as <see cref="QuantizedLayout"/> says.</summary>
    Tiles,
}

/// <summary>One tensor of a packed file.</summary>
/// <param name="Name">Name, as <see cref="TensorSchema"/> gives it.</param>
/// <param name="DataType">Element type.</param>
/// <param name="Layout">Order of the elements.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Offset">Bytes from the start of the file; a multiple of 4096.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Checksum">CRC-32C of the bytes.</param>
/// <param name="Quantization">What codes stand for; null for numbers.</param>
public sealed record TensorEntry(
    string Name,
    [property: JsonPropertyName("dtype")] DataType DataType,
    TensorLayout Layout,
    IReadOnlyList<int> Shape,
    long Offset,
    long Length,
    [property: JsonConverter(typeof(ChecksumConverter))] uint Checksum,
    Quantization? Quantization = null)
{
    /// <summary>Rows of a matrix, or of matrices one after the other.</summary>
    internal int Rows => Shape.SkipLast(1).Aggregate(1, (product, size) => product * size);

    /// <summary>Where everything of a quantized matrix lies.</summary>
    /// <exception cref="InvalidOperationException">It is not quantized.</exception>
    internal QuantizedLayout Tiles => Quantization is { } quantization
        ? new(Shape[0], Shape[1], DataType, quantization)
        : throw new InvalidOperationException($"Tensor '{Name}' is not quantized.");
}

/// <summary>Where a packed file came from. Deterministic: the same sources make the same bytes.</summary>
public sealed record Provenance
{
    /// <summary>The checkpoint's own name for its architecture, for people only; the runtime never reads it.</summary>
    public required string Architecture { get; init; }

    /// <summary>Name and version of the converter.</summary>
    public required string Converter { get; init; }

    /// <summary>The files read.</summary>
    public required IReadOnlyList<SourceFile> Sources { get; init; }
}

/// <summary>One file that a packed file was made from.</summary>
/// <param name="Name">File name without its folder.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">SHA-256 of its bytes, lower-case hexadecimal.</param>
public sealed record SourceFile(string Name, long Bytes, string Sha256);

using Weft.Tensors;

namespace Weft.Convert;

/// <summary>What to convert.</summary>
/// <param name="Source">Folder of the checkpoint, or a GGUF file.</param>
/// <param name="Output">Packed file to make; replaced as a whole when it exists.</param>
/// <param name="DataType">Type of the weight matrices that are not quantized; null keeps the checkpoint's.</param>
/// <param name="GroupSize">Quantizes the matrices of layers to 4 bits by rounding, this many columns to a scale, −1 for all; null does not.</param>
public sealed record ConversionOptions(string Source, string Output, DataType? DataType = null, int? GroupSize = null)
{
    /// <summary>The chat template: name of one that the checkpoint or a family has, a file, or 'none'; null for the checkpoint's own, or that of a checkpoint
    /// which is certainly a chat model.</summary>
    public string? ChatTemplate { get; init; }
}

/// <summary>How far a conversion is.</summary>
/// <param name="Tensor">The packed file's name of the tensor being written.</param>
/// <param name="BytesDone">Bytes of the checkpoint's weights that are converted.</param>
/// <param name="BytesTotal">Bytes of the checkpoint's weights.</param>
public readonly record struct ConversionProgress(string Tensor, long BytesDone, long BytesTotal);

/// <summary>What a conversion made.</summary>
/// <param name="Output">The packed file.</param>
/// <param name="Architecture">The checkpoint's name for its architecture.</param>
/// <param name="Tensors">Tensors written.</param>
/// <param name="SourceBytes">Bytes of weights read.</param>
/// <param name="OutputBytes">Bytes of the packed file.</param>
public sealed record ConversionResult(string Output, string Architecture, int Tensors, long SourceBytes, long OutputBytes)
{
    /// <summary>What the packed file cannot do although the checkpoint seems to; a sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}

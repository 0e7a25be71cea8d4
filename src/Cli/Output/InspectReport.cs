using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Cli.Output;

/// <summary>What <c>weft inspect</c> found.</summary>
/// <param name="Path">The packed file.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="ChecksumsVerified">Every tensor was read and agrees with its checksum.</param>
/// <param name="Parameters">Elements of all tensors.</param>
/// <param name="BytesByDtype">Bytes of tensors per element type.</param>
/// <param name="HasTokenizer">A tokenizer is inside.</param>
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
    bool HasTokenizer,
    bool HasChatTemplate,
    ModelDescription Model,
    GenerationDefaults Generation,
    Provenance Provenance,
    IReadOnlyList<TensorEntry> Tensors)
{
    /// <summary>Summarises a header.</summary>
    public static InspectReport Of(string path, WeftHeader header, bool verified) => new(
        path,
        new FileInfo(path).Length,
        verified,
        header.Tensors.Sum(Elements),
        header.Tensors.GroupBy(t => t.DataType.Name()).ToDictionary(g => g.Key, g => g.Sum(t => t.Length)),
        header.Tokenizer is not null,
        header.ChatTemplate is not null,
        header.Model,
        header.Generation,
        header.Provenance,
        header.Tensors);

    private static long Elements(TensorEntry tensor) => tensor.Shape.Aggregate(1L, (product, size) => product * size);
}

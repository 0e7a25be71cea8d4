using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Quantization;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert;

/// <summary>A tensor of the packed file and where it comes from.</summary>
/// <param name="Name">In the packed file.</param>
/// <param name="Shape">Sizes.</param>
/// <param name="DataType">In the packed file.</param>
/// <param name="Source">The checkpoint's tensor; of a quantized matrix the codes.</param>
internal sealed record PlannedTensor(string Name, IReadOnlyList<int> Shape, DataType DataType, StoredTensor Source)
{
    /// <summary>What codes stand for, and where they come from; null for numbers.</summary>
    public (Weights.Quantization Meaning, QuantizedSource Source)? Quantized { get; init; }

    /// <summary>Bytes of the checkpoint.</summary>
    public long SourceBytes => Quantized?.Source.ByteLength ?? Source.ByteLength;

    /// <summary>Its row in the packed file's header, without a place.</summary>
    public TensorEntry Entry => new(
        Name, DataType, Quantized is null ? TensorLayout.RowMajor : TensorLayout.Tiles, Shape, 0, 0, 0, Quantized?.Meaning);
}

/// <summary>Matches what a model needs with what a checkpoint has; either list may be wrong, and both are checked.</summary>
internal static class TensorPlan
{
    /// <summary>Finds every tensor of <paramref name="model"/> in the checkpoint, in file order.</summary>
    /// <exception cref="WeftException">A tensor is missing, has another shape or no numbers, or one is left over that is not known.</exception>
    public static IReadOnlyList<PlannedTensor> Create(
        Family family, ModelDescription model, Checkpoint checkpoint, string folder, QuantizationConfig? stored, ConversionOptions options)
    {
        var left = new Dictionary<string, StoredTensor>(checkpoint.Tensors);
        var plan = TensorSchema.Of(model).Select(requirement =>
        {
            var name = family.SourceName(requirement.Name);
            if (stored is not null && IsLinear(requirement) && TryTakeQuantized(left, requirement, name, stored) is { } quantized)
                return quantized;
            var source = Take(left, name, folder);
            CheckShape(requirement, source);
            var planned = new PlannedTensor(requirement.Name, requirement.Shape, TargetType(requirement, source, options.DataType), source);
            return options.GroupSize is { } groupSize && IsLinear(requirement) ? Quantize(planned, groupSize) : planned;
        }).ToList();

        foreach (var tensor in left.Values.OrderBy(tensor => tensor.Name, StringComparer.Ordinal))
        {
            if (family.CopyOf(tensor.Name, model) is { } original)
                CheckCopy(tensor, plan.Single(planned => planned.Name == original).Source);
            else if (!family.IsIgnored(tensor.Name, model) && !family.IsIgnored("model." + tensor.Name, model))
                throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' is not part of this architecture");
        }

        return plan;
    }

    /// <summary>The matrices of layers: what quantization is about. Embedding and head stay as they are.</summary>
    private static bool IsLinear(TensorRequirement requirement) =>
        !requirement.IsVector && requirement.Name is not (TensorSchema.Embedding or TensorSchema.Head);

    /// <summary>A matrix that the checkpoint has quantized; null where it kept numbers.</summary>
    private static PlannedTensor? TryTakeQuantized(
        Dictionary<string, StoredTensor> left, TensorRequirement requirement, string name, QuantizationConfig stored)
    {
        const string Weight = "weight";
        var matrix = name[..^Weight.Length];
        if (Find("qweight") is not { } codes)
            return null;
        left[codes.Name] = codes;
        var source = new CheckpointMatrix(stored, requirement.Shape, Find, matrix.TrimEnd('.'));
        return new(requirement.Name, requirement.Shape, stored.Type, codes) { Quantized = (source.Quantization, source) };

        StoredTensor? Find(string last) => TryTake(left, matrix + last);
    }

    private static PlannedTensor Quantize(PlannedTensor dense, int groupSize)
    {
        var source = new RoundToNearest(dense, groupSize);
        return dense with { DataType = DataType.Int4, Quantized = (source.Quantization, source) };
    }

    /// <summary>Some checkpoints were saved from the inner model, so that names lack the outer prefix.</summary>
    private static StoredTensor? TryTake(Dictionary<string, StoredTensor> left, string name)
    {
        const string Prefix = "model.";
        if (left.Remove(name, out var tensor))
            return tensor;
        return name.StartsWith(Prefix, StringComparison.Ordinal) && left.Remove(name[Prefix.Length..], out tensor) ? tensor : null;
    }

    private static StoredTensor Take(Dictionary<string, StoredTensor> left, string name, string folder) =>
        TryTake(left, name) ?? throw new WeftException($"{folder}: tensor '{name}' is missing");

    private static void CheckCopy(StoredTensor copy, StoredTensor original)
    {
        // PyTorch stores both names with one storage; nothing needs to be read then.
        if (copy.File == original.File && copy.Offset == original.Offset && copy.Shape.SequenceEqual(original.Shape)
            && copy.Type == original.Type && copy.Strides.SequenceEqual(original.Strides))
            return;
        using var copyReader = new TensorReader();
        using var originalReader = new TensorReader();
        IEnumerable<ReadOnlyMemory<byte>> Pieces(TensorReader reader, StoredTensor tensor) =>
            reader.Read(new(tensor.Name, [], DataType.Float32, tensor)).Select(piece => piece.Bytes);
        if (!copy.Type.IsFloat() || !copy.Shape.SequenceEqual(original.Shape)
            || !Pieces(copyReader, copy).Zip(Pieces(originalReader, original)).All(pair => pair.First.Span.SequenceEqual(pair.Second.Span)))
            throw new WeftException($"{copy.File}: tensor '{copy.Name}' differs from '{original.Name}', though config.json ties them");
    }

    private static void CheckShape(TensorRequirement requirement, StoredTensor source)
    {
        if (!source.Type.IsFloat())
            throw new WeftException($"{source.File}: tensor '{source.Name}' holds {source.Type}, which are no weights of this architecture");
        if (!source.Shape.SequenceEqual(requirement.Shape.Select(size => (long)size)))
        {
            throw new WeftException(
                $"{source.File}: tensor '{source.Name}' has the shape [{string.Join(", ", source.Shape)}], but config.json asks for [{string.Join(", ", requirement.Shape)}]");
        }
    }

    private static DataType TargetType(TensorRequirement requirement, StoredTensor source, DataType? matrixType)
    {
        if (requirement.IsVector)
            return DataType.Float32;
        return matrixType ?? source.Type switch
        {
            StoredType.Float16 => DataType.Float16,
            StoredType.BFloat16 => DataType.BFloat16,
            _ => DataType.Float32,
        };
    }
}

using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Convert;

/// <summary>A tensor of the packed file and where it comes from.</summary>
internal sealed record PlannedTensor(string Name, IReadOnlyList<int> Shape, DataType DataType, StoredTensor Source);

/// <summary>Matches what a model needs with what a checkpoint has; either list may be wrong, and both are checked.</summary>
internal static class TensorPlan
{
    /// <summary>Finds every tensor of <paramref name="model"/> in the checkpoint, in file order.</summary>
    /// <exception cref="WeftException">A tensor is missing, has another shape or no numbers, or one is left over that is not known.</exception>
    public static IReadOnlyList<PlannedTensor> Create(
        Family family, ModelDescription model, Checkpoint checkpoint, string folder, DataType? matrixType)
    {
        var left = new Dictionary<string, StoredTensor>(checkpoint.Tensors);
        var plan = TensorSchema.Of(model).Select(requirement =>
        {
            var source = Take(left, family.SourceName(requirement.Name), folder);
            CheckShape(requirement, source);
            return new PlannedTensor(requirement.Name, requirement.Shape, TargetType(requirement, source, matrixType), source);
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

    /// <summary>Some checkpoints were saved from the inner model, so that names lack the outer prefix.</summary>
    private static StoredTensor Take(Dictionary<string, StoredTensor> left, string name, string folder)
    {
        const string Prefix = "model.";
        if (left.Remove(name, out var tensor))
            return tensor;
        return name.StartsWith(Prefix, StringComparison.Ordinal) && left.Remove(name[Prefix.Length..], out tensor)
            ? tensor
            : throw new WeftException($"{folder}: tensor '{name}' is missing");
    }

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

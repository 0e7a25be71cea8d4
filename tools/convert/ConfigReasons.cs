using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Models;

namespace Weft.Convert;

/// <summary>Finds the members of a config that the tensors contradict: those with whose other values the contradiction would not be.</summary>
/// <param name="family">The family.</param>
/// <param name="config">The config, of which the family has asked for what it needs.</param>
/// <param name="model">What the family made of it.</param>
internal sealed class ConfigReasons(Family family, ConfigFile config, ModelDescription model)
{
    // One of the first layers has a kind of tensor, or none has it.
    private const int MostLookedAt = 512;

    /// <summary>Why a tensor should have another shape: members in parentheses, or nothing.</summary>
    /// <param name="requirement">The packed tensor.</param>
    /// <param name="stored">What it was to be made of.</param>
    public string OfShape(TensorRequirement requirement, StoredTensor stored)
    {
        // A joined matrix has the rows of several.
        var source = family.TrySourceName(requirement.Name);
        var joined = TensorSchema.Of(model).Where(asked => asked.Name == requirement.Name || (source is not null && family.TrySourceName(asked.Name) == source)).ToDictionary(asked => asked.Name, asked => asked.Shape);
        var sizes = Enumerable.Range(0, requirement.Shape.Count).ToList();
        var wrong = stored.Shape.Count == sizes.Count ? sizes.FindAll(i => stored.Shape[i] != requirement.Shape[i]) : [];
        if (wrong.Count == 0)
            wrong = sizes;
        return Members(other => TensorSchema.Of(other).Any(changed => joined.TryGetValue(changed.Name, out var shape) && wrong.Exists(i => i < shape.Count && changed.Shape[i] != shape[i])));
    }

    /// <summary>Why a tensor should be there: members in parentheses, or nothing.</summary>
    public string OfNeed(TensorRequirement requirement) => Members(other => TensorSchema.Of(other).All(asked => asked.Name != requirement.Name));

    /// <summary>Why a tensor should not be there: an end of a sentence, or nothing.</summary>
    public string OfSurplus(string name)
    {
        var layers = model.Encoder is { } encoder && name.Contains("encoder.", StringComparison.Ordinal) ? encoder.Layers.Count : model.Layers.Count;
        if (LayerNumber.Beyond(name, layers) is { Length: > 0 } beyond)
            return beyond;
        var members = Members(other => TensorSchema.Of(other).Take(MostLookedAt).Any(asked => family.TrySourceName(asked.Name) is { } own && (own == name || own == family.Prefix + name)));
        return members.Length > 0 ? $" as the config has it{members}" : "";
    }

    private string Members(Func<ModelDescription, bool> isCured)
    {
        var members = config.Alternatives.Where(other => family.TryDescribe(other.Other) is { } described && isCured(described)).Select(other => other.Member).ToList();
        return members.Count > 0 ? $" ({string.Join(", ", members)})" : "";
    }
}

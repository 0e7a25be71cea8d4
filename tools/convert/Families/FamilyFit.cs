using System.Text.Json;
using Weft.Convert.Sources;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>How well a family fits a checkpoint that does not name it.</summary>
internal sealed class FamilyFit
{
    private const int MostOwn = 4;

    private readonly IReadOnlySet<string> asked;
    private readonly ModelDescription? model;

    private FamilyFit(Family family, ConfigFile config, ModelDescription? model)
    {
        (Family, asked, Lacking, this.model) = (family, config.Asked, config.Lacking, model);
        Extras = model is null ? 0 : CountExtras(model);
    }

    /// <summary>The family.</summary>
    public Family Family { get; }

    /// <summary>The family's.</summary>
    public IReadOnlyList<string> Architectures => Family.Architectures;

    /// <summary>Kinds of tensors that it does not have.</summary>
    public IReadOnlyList<string> Unknown { get; private set; } = [];

    /// <summary>Members that it needs and the config does not have.</summary>
    public IReadOnlyCollection<string> Lacking { get; }

    /// <summary>The checkpoint has all of its kinds of tensors and no others.</summary>
    public bool HasAllTensors { get; private set; }

    /// <summary>Share of the members that it knows and twice that of the tensors; below 1 where it cannot describe the config without more members, and 0 where it cannot even then.</summary>
    public double Score { get; private set; }

    /// <summary>Building blocks beyond those that every decoder has.</summary>
    public int Extras { get; }

    /// <summary>Tries a family on a config and tensors' names.</summary>
    /// <param name="family">The family.</param>
    /// <param name="config">The config.</param>
    /// <param name="names">Kinds of tensors.</param>
    /// <param name="members">What the config asks for.</param>
    public static FamilyFit Of(Family family, ConfigFile config, HashSet<string> names, IReadOnlyList<KeyValuePair<string, JsonElement>> members)
    {
        const double Undescribed = 0.5;
        var watched = config.Afresh();
        if (family.TryDescribe(watched) is not { } model || ModelCheck.FindError(model) is not null)
        {
            watched = config.Leniently();
            var guess = new FamilyFit(family, watched, family.TryDescribe(watched));
            guess.Score = guess.model is null ? 0 : Undescribed * Share(members.Count(guess.Knows), members.Count);
            return guess;
        }

        var fit = new FamilyFit(family, watched, model);
        fit.Score = 1 + Share(members.Count(fit.Knows), members.Count);
        if (names.Count == 0)
            return fit;
        var own = TensorSchema.Of(model).Select(tensor => UnknownArchitecture.Patterns(Names(family, tensor.Name))).Where(alike => alike.Count > 0).ToList();
        var known = own.SelectMany(alike => alike).ToHashSet();
        var missing = own.Where(alike => !alike.Overlaps(names)).SelectMany(alike => alike).Distinct().Count();
        fit.Unknown = [.. names.Where(name => !known.Contains(name) && !family.IsIgnored(name, model) && family.CopyOf(name, model) is null).Order(StringComparer.Ordinal)];
        // Some tensors a family takes where they are there, under names of its own.
        if (missing <= MostOwn && fit.Unknown.Count <= MostOwn && missing + fit.Unknown.Count > 0 && Takes(family, model, config.Folder))
            (fit.Unknown, missing) = ([], 0);
        fit.HasAllTensors = missing == 0 && fit.Unknown.Count == 0;
        fit.Score += 2 * Share(names.Count - fit.Unknown.Count, names.Count + missing);
        return fit;
    }

    /// <summary>Whether it reads a member, or has what the member says that there is.</summary>
    public bool Knows(KeyValuePair<string, JsonElement> member) =>
        asked.Contains(member.Key) || (member.Value.ValueKind == JsonValueKind.True && UnknownArchitecture.BlockOf(member.Key) is { } block && Has(block));

    /// <summary>Whether it reads a member.</summary>
    public bool Asks(string member) => asked.Contains(member);

    /// <summary>Whether the model, as the family describes it, has blocks of a kind.</summary>
    public bool Has(int block) => model is not null && UnknownArchitecture.Has(model, block);

    private static bool Takes(Family family, ModelDescription model, string folder)
    {
        try
        {
            var source = new FolderSource(folder, family);
            _ = TensorPlan.Create(source, model, source.OpenWeights(), new(folder, ""));
            return true;
        }
        catch (WeftException)
        {
            return false;
        }
    }

    private static double Share(int part, int whole) => whole == 0 ? 0 : (double)part / whole;

    private static IEnumerable<string> Names(Family family, string packedName) => new[] { family.TrySourceName(packedName), FirstExpert(family, packedName) }.OfType<string>()
        .SelectMany(name => (string[])(family.Prefix is { } prefix && name.StartsWith(prefix, StringComparison.Ordinal) ? [name, name[prefix.Length..]] : [name]));

    private static string? FirstExpert(Family family, string packedName)
    {
        try
        {
            return family.ExpertName(packedName, 0);
        }
        catch (Exception exception) when (exception is InvalidOperationException or KeyNotFoundException or WeftException)
        {
            return null; // there are no experts
        }
    }

    private static int CountExtras(ModelDescription model)
    {
        static int Layer(LayerDescription layer) => Count(
            layer.AttentionOutputNorm is not null, layer.AttentionSumNorm is not null, layer.Parallel, layer.NormedResidual, layer.FeedForwardOutputNorm is not null, layer.FeedForwardSumNorm is not null,
            layer.ResidualScale is not null, layer.CrossAttention is not null, layer.StateSpace is not null, layer.TimeMix is not null, layer.FeedForward?.Experts is not null, layer.FeedForward?.Bias == true)
            + (layer.Attention is { } attention ? Count(
                attention.InputBias, attention.OutputBias, attention.Window is not null, attention.Clip is not null, attention.QueryKeyNorm is not null, attention.Rotary?.Size is not null,
                attention.Rotary?.Scaling is not null, attention.AlibiSlopes is not null, attention.BiasDistance is not null, attention.SoftCap is not null, attention.LogScaleFrom is not null,
                attention.Sinks, attention.Latent is not null) : 0);
        static int Count(params ReadOnlySpan<bool> facts)
        {
            var count = 0;
            foreach (var fact in facts)
                count += fact ? 1 : 0;
            return count;
        }

        return model.Layers.Distinct().Sum(Layer) + Count(
            model.Embedding is not null, model.Embedding?.Scale is not null, model.Embedding?.Norm is not null, model.Prefix is not null, model.Encoder is not null,
            model.Head.Bias, model.Head.RowScale, model.Head.Scale is not null, model.Head.SoftCap is not null);
    }
}

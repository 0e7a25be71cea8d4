using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// One family of checkpoints: how its config and its tensor names map onto building blocks. This folder is the only place in the
/// project that knows a family.
/// </summary>
internal abstract class Family
{
    /// <summary>Values of <c>architectures</c> in config.json that this family covers.</summary>
    public abstract IReadOnlyList<string> Architectures { get; }

    /// <summary>Others are variants of it: where several have all that a checkpoint asks for, it is the one to name.</summary>
    public virtual bool IsOrigin => false;

    /// <summary>Whether a config of one of these architectures is of this family: different models share a name.</summary>
    public virtual bool Covers(ConfigFile config) => true;

    /// <summary>Whether a config that names neither architecture nor model type is this family's all the same.</summary>
    public virtual bool Owns(ConfigFile config) => false;

    /// <summary>The config of a release that has none, or null for another checkpoint.</summary>
    public virtual string? ConfigOf(string folder) => null;

    /// <summary>What the list of models (docs/models.md) says of the family.</summary>
    public virtual FamilyCard? Card => null;

    /// <summary>Formats of prompts that chat models of the family were trained on and ship without.</summary>
    public virtual IReadOnlyList<ChatFormat> ChatFormats => [];

    /// <summary>The model in building blocks.</summary>
    /// <exception cref="WeftException">The config lacks something, or asks for something unsupported.</exception>
    public abstract ModelDescription Describe(ConfigFile config);

    /// <summary>The model, or null where a config says what makes no sense, as one of another family may.</summary>
    public ModelDescription? TryDescribe(ConfigFile config)
    {
        try
        {
            return Describe(config);
        }
        catch (Exception exception) when (exception is WeftException or ArithmeticException or ArgumentException or IndexOutOfRangeException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The token that ends a generation where neither config nor generation_config.json names one; null for none.</summary>
    public virtual int? EndOf(ConfigFile config) => null;

    /// <summary>The checkpoint's name of the tensor that the packed file calls <paramref name="packedName"/>.</summary>
    public abstract string SourceName(string packedName);

    /// <summary>The same, or null for a tensor that is computed or made of several.</summary>
    public string? TrySourceName(string packedName)
    {
        try
        {
            return SourceName(packedName);
        }
        catch (Exception exception) when (exception is InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The checkpoint's name of one expert's part of a packed tensor, where it has a tensor for each.</summary>
    public virtual string ExpertName(string packedName, int expert) => throw new WeftException($"experts that are one tensor each are not read for {Architectures[0]}");

    /// <summary>How the family's models look in GGUF files; null where those are not read.</summary>
    public virtual GgufForm? Gguf => null;

    /// <summary>Of the checkpoint's names; checkpoints saved from the inner model lack it.</summary>
    public virtual string? Prefix => "model.";

    /// <summary>What a packed tensor is made of: by default of the tensor of its <see cref="SourceName"/>, as it is.</summary>
    /// <exception cref="WeftException">A tensor is missing or has the wrong shape.</exception>
    public virtual TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => new(shelf.Take(SourceName(requirement.Name)));

    /// <summary>Whether a tensor of the checkpoint is known not to be a weight.</summary>
    public abstract bool IsIgnored(string sourceName, ModelDescription model);

    /// <summary>
    /// What the names of a layer begin with that checkpoints may hold for training alone, and how those go on of a tensor that only such a layer has; null where there is none.
    /// </summary>
    public virtual (string Prefix, string Mark)? TrainingLayer(ModelDescription model) => null;

    /// <summary>The packed name of the tensor that a tensor of the checkpoint must repeat number by number (a tied head stored all the
    /// same), or null when it is no such copy.</summary>
    public abstract string? CopyOf(string sourceName, ModelDescription model);
}

/// <summary>What the list of models says of a family that its descriptions do not.</summary>
/// <param name="Models">The released models, each with its paper or release.</param>
/// <param name="Tokenizer">What they come with.</param>
internal sealed record FamilyCard(string Models, string Tokenizer);

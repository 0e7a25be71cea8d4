namespace Weft.Models;

/// <summary>
/// What reads another text, the source, all of whose tokens see each other; the model's layers attend to what it makes of them (Vaswani et al. 2017,
/// arXiv 1706.03762). The caller's prompt is the source then, and what is generated begins with <see cref="StartTokens"/>.
/// </summary>
public sealed record EncoderDescription
{
    /// <summary>What tokens of the source become beyond rows of the model's embedding; null for those alone.</summary>
    public EmbeddingDescription? Embedding { get; init; }

    /// <summary>The layers in order, alike in heads and head size.</summary>
    public required IReadOnlyList<LayerDescription> Layers { get; init; }

    /// <summary>The norm after the last layer; null for none.</summary>
    public NormDescription? FinalNorm { get; init; }

    /// <summary>What every generated text begins with; at least one token.</summary>
    public required IReadOnlyList<int> StartTokens { get; init; }
}

namespace Weft.Models;

/// <summary>
/// What a packed file says about a model, in the runtime's closed vocabulary of building blocks: the converter writes it,
/// the graph is built from it, and no family name appears in it. Members that a model does not use are left out of the file.
/// </summary>
public sealed record ModelDescription
{
    /// <summary>V: rows of the embedding and of the head. May exceed the tokenizer's vocabulary (padding).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Longest sequence, in tokens, that the model was trained for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>The layers in order; each carries its own sizes, so that they may differ.</summary>
    public required IReadOnlyList<LayerDescription> Layers { get; init; }

    /// <summary>The norm between the last layer and the head.</summary>
    public required NormDescription FinalNorm { get; init; }

    /// <summary>The projection onto the vocabulary.</summary>
    public required HeadDescription Head { get; init; }
}

/// <summary>One pre-norm decoder layer: x += attention(norm(x)); x += feed_forward(norm(x)).</summary>
public sealed record LayerDescription
{
    /// <summary>Norm before attention.</summary>
    public required NormDescription AttentionNorm { get; init; }

    /// <summary>The attention block.</summary>
    public required AttentionDescription Attention { get; init; }

    /// <summary>Norm before the feed-forward block.</summary>
    public required NormDescription FeedForwardNorm { get; init; }

    /// <summary>The feed-forward block.</summary>
    public required FeedForwardDescription FeedForward { get; init; }
}

/// <summary>How a norm is computed.</summary>
public enum NormKind
{
    /// <summary>x / sqrt(mean(x²) + ε) · w (Zhang and Sennrich 2019, arXiv 1910.07467).</summary>
    Rms,
}

/// <summary>A normalisation over the last dimension, with a weight per channel.</summary>
public sealed record NormDescription
{
    /// <summary>Which formula.</summary>
    public required NormKind Kind { get; init; }

    /// <summary>ε under the root.</summary>
    public required float Epsilon { get; init; }
}

/// <summary>Causal self-attention with grouped key/value heads (Ainslie et al. 2023, arXiv 2305.13245).</summary>
public sealed record AttentionDescription
{
    /// <summary>H.</summary>
    public required int QueryHeads { get; init; }

    /// <summary>G; divides H. H is multi-head, 1 multi-query attention.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>D.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Factor on the scores before the softmax, usually 1/sqrt(D).</summary>
    public required float Scale { get; init; }

    /// <summary>Query, key and value projections have a bias.</summary>
    public bool InputBias { get; init; }

    /// <summary>The output projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>A query sees itself and the previous Window − 1 tokens; null sees all.</summary>
    public int? Window { get; init; }

    /// <summary>Rotary position embedding of queries and keys.</summary>
    public required RotaryDescription Rotary { get; init; }
}

/// <summary>Rotary position embedding (Su et al. 2021, arXiv 2104.09864), halves paired: dimension i turns with i + D/2.</summary>
public sealed record RotaryDescription
{
    /// <summary>Base of the frequencies θ^(−2i/D).</summary>
    public required double Theta { get; init; }

    /// <summary>Change of the frequencies for contexts beyond the original training length; null for none.</summary>
    public RotaryScaling? Scaling { get; init; }
}

/// <summary>Which scaling of rotary frequencies.</summary>
public enum RotaryScalingKind
{
    /// <summary>Positions divided by the factor (Chen et al. 2023, arXiv 2306.15595).</summary>
    Linear,

    /// <summary>Low frequencies divided by the factor, high kept, a smooth ramp between (Llama 3.1 release).</summary>
    Llama3,

    /// <summary>NTK-by-parts interpolation with an attention temperature (Peng et al. 2023, arXiv 2309.00071).</summary>
    Yarn,
}

/// <summary>Parameters of a rotary scaling; those that its kind does not use are zero.</summary>
public sealed record RotaryScaling
{
    /// <summary>Which formula.</summary>
    public required RotaryScalingKind Kind { get; init; }

    /// <summary>How many times longer the context becomes.</summary>
    public required double Factor { get; init; }

    /// <summary>Context length before scaling (Llama3, Yarn).</summary>
    public int OriginalContextLength { get; init; }

    /// <summary>Wavelengths above original/low are scaled in full (Llama3).</summary>
    public double LowFrequencyFactor { get; init; }

    /// <summary>Wavelengths below original/high are kept (Llama3).</summary>
    public double HighFrequencyFactor { get; init; }

    /// <summary>Rotations above which a dimension is kept (Yarn).</summary>
    public double BetaFast { get; init; }

    /// <summary>Rotations below which a dimension is interpolated in full (Yarn).</summary>
    public double BetaSlow { get; init; }

    /// <summary>Factor on cos and sin, already resolved by the converter (Yarn).</summary>
    public double AttentionFactor { get; init; }
}

/// <summary>The nonlinearity of a feed-forward block.</summary>
public enum Activation
{
    /// <summary>x · sigmoid(x).</summary>
    Silu,

    /// <summary>x · Φ(x), exact through erf.</summary>
    Gelu,

    /// <summary>The tanh approximation of gelu.</summary>
    GeluTanh,

    /// <summary>max(x, 0).</summary>
    Relu,
}

/// <summary>Gated feed-forward: down(activation(gate(x)) · up(x)) (Shazeer 2020, arXiv 2002.05202).</summary>
public sealed record FeedForwardDescription
{
    /// <summary>F.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Nonlinearity of the gate.</summary>
    public required Activation Activation { get; init; }

    /// <summary>Gate, up and down projections have a bias.</summary>
    public bool Bias { get; init; }
}

/// <summary>The projection of the last hidden state onto the vocabulary.</summary>
public sealed record HeadDescription
{
    /// <summary>The head's weight is the embedding's; no tensor of its own is stored.</summary>
    public required bool Tied { get; init; }
}

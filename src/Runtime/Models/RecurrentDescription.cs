namespace Weft.Models;

/// <summary>Which recurrence a time mixing computes.</summary>
public enum TimeMixKind
{
    /// <summary>An average of values weighted by e^key, by channel, older ones decaying (RWKV-4; Peng et al. 2023, arXiv 2305.13048).</summary>
    Average,

    /// <summary>A matrix of each head that decays by channel (RWKV-5 "Eagle"; Peng et al. 2024, arXiv 2404.05892).</summary>
    StaticDecay,

    /// <summary>The same with a decay, and a mix with the previous token, that depend on the input (RWKV-6 "Finch"; the same paper).</summary>
    DynamicDecay,

    /// <summary>A matrix of each head that forgets what it held for a key and learns the new value (RWKV-7 "Goose"; Peng et al. 2025, arXiv 2503.14456).</summary>
    DeltaRule,
}

/// <summary>
/// RWKV's time mixing: every input is x + w · (previous x − x), w [C] being each one's own. Ranks are the widths of the low-rank products that make
/// an amount of the input; those that a kind does not use are zero.
/// </summary>
public sealed record TimeMixDescription
{
    /// <summary>Which recurrence.</summary>
    public required TimeMixKind Kind { get; init; }

    /// <summary>A: channels of receptance, key and value.</summary>
    public required int Width { get; init; }

    /// <summary>S: channels of a head, which divide A (all but Average).</summary>
    public int HeadSize { get; init; }

    /// <summary>Norm of what each head gives (all but Average).</summary>
    public NormDescription? Norm { get; init; }

    /// <summary>Of what is added to each w (DynamicDecay).</summary>
    public int MixRank { get; init; }

    /// <summary>Of the decay (DynamicDecay, DeltaRule).</summary>
    public int DecayRank { get; init; }

    /// <summary>Of the learning rate (DeltaRule).</summary>
    public int RateRank { get; init; }

    /// <summary>Of how far values go towards those of the first such layer (DeltaRule); zero in that layer itself.</summary>
    public int ValueRank { get; init; }

    /// <summary>Of the gate (DeltaRule); the gate of the other matrix kinds is a product of full rank.</summary>
    public int GateRank { get; init; }
}

/// <summary>Which state space.</summary>
public enum StateSpaceKind
{
    /// <summary>A state of N numbers a channel, each with a decay of its own; step, B and C come from the convolved channels (Mamba; Gu and Dao 2023, arXiv 2312.00752).</summary>
    Selective,

    /// <summary>A state of N numbers a channel, one decay a head; step, B and C come from the layer's input (Mamba-2; Dao and Gu 2024, arXiv 2405.21060).</summary>
    Dual,
}

/// <summary>
/// A selective state space: channels and a gate are projected from the input, the channels pass a short causal convolution and
/// h = e^(Δ·decay) · h + Δ · B · x, y = C · h + skip · x; what is gated is projected back. Δ is softplus of a projection.
/// </summary>
public sealed record StateSpaceDescription
{
    /// <summary>Which.</summary>
    public required StateSpaceKind Kind { get; init; }

    /// <summary>I: channels.</summary>
    public required int Width { get; init; }

    /// <summary>N: numbers of a channel's state.</summary>
    public required int StateSize { get; init; }

    /// <summary>K: tokens that the convolution sees.</summary>
    public required int Convolution { get; init; }

    /// <summary>The convolution has a bias.</summary>
    public bool ConvolutionBias { get; init; }

    /// <summary>The projections from the input and back have a bias.</summary>
    public bool Bias { get; init; }

    /// <summary>R: width between the channels and the steps (Selective).</summary>
    public int StepRank { get; init; }

    /// <summary>Norm of B, of C and of what is between the channels and the steps, each by itself (Selective); null for none.</summary>
    public NormDescription? InputNorm { get; init; }

    /// <summary>H: heads, which share the channels evenly and have one step each (Dual).</summary>
    public int Heads { get; init; }

    /// <summary>G: groups of heads that share B and C (Dual).</summary>
    public int Groups { get; init; }

    /// <summary>Norm of the gated result, each group's channels by themselves (Dual).</summary>
    public NormDescription? Norm { get; init; }

    /// <summary>Steps are at least this long (Dual).</summary>
    public float? StepMin { get; init; }

    /// <summary>Steps are at most this long (Dual).</summary>
    public float? StepMax { get; init; }

    /// <summary>Rows of B, and of C, of a token.</summary>
    internal int StateRows => Math.Max(Groups, 1) * StateSize;

    /// <summary>Steps of a token.</summary>
    internal int Steps => Kind == StateSpaceKind.Selective ? Width : Heads;
}

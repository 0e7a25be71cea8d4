namespace Weft.Sampling;

/// <summary>How the next token is drawn from the logits. The defaults are greedy decoding without penalties.</summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits; 0 is greedy.</summary>
    public float Temperature { get; init; }

    /// <summary>Keeps the k most probable tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the smallest set of most probable tokens whose probabilities reach p; 1 keeps all (Holtzman et al. 2019, arXiv 1904.09751).</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Drops tokens less probable than this share of the most probable one; 0 drops none (Nguyen et al. 2024, arXiv 2407.01082).</summary>
    public float MinP { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens already seen; 1 is off (Keskar et al. 2019, arXiv 1909.05858).</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted once from the logit of every token already generated; 0 is off.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from a token's logit once per time it was generated; 0 is off.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Seed of the draw; null takes a random one.</summary>
    public ulong? Seed { get; init; }
}

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

    /// <summary>Added to the logits of these tokens before anything else, from -100 to 100; ±100 as good as forces or forbids one.</summary>
    public IReadOnlyDictionary<int, float> LogitBias { get; init; } = System.Collections.ObjectModel.ReadOnlyDictionary<int, float>.Empty;

    /// <summary>Seed of the draw; null takes a random one.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Checks that every option is in its range.</summary>
    /// <exception cref="OptionException">One is not; the message names it, its value and the range.</exception>
    public void Validate()
    {
        OptionException.ThrowUnless(Temperature >= 0 && float.IsFinite(Temperature), "temperature", Temperature, "0 (greedy) or a positive number");
        OptionException.ThrowUnless(TopK >= 0, "top_k", TopK, "0 (off) or a positive number");
        OptionException.ThrowUnless(TopP is > 0 and <= 1, "top_p", TopP, "above 0 and at most 1 (off)");
        OptionException.ThrowUnless(MinP is >= 0 and <= 1, "min_p", MinP, "from 0 (off) to 1");
        OptionException.ThrowUnless(RepetitionPenalty is >= 0.01f and <= 100, "repetition_penalty", RepetitionPenalty, "from 0.01 to 100 (1 is off)");
        OptionException.ThrowUnless(PresencePenalty is >= -2 and <= 2, "presence_penalty", PresencePenalty, "from -2 to 2 (0 is off)");
        OptionException.ThrowUnless(FrequencyPenalty is >= -2 and <= 2, "frequency_penalty", FrequencyPenalty, "from -2 to 2 (0 is off)");
        foreach (var bias in LogitBias.Values)
            OptionException.ThrowUnless(bias is >= -100 and <= 100, "logit_bias", bias, "from -100 to 100");
    }
}

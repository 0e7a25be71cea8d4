using Weft.Sampling;

namespace Weft;

/// <summary>What to generate.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most alternatives that can be asked for beside a token.</summary>
    public const int MostTopLogProbabilities = 20;

    // Every token looks for all of them.
    private const int MostStops = 64;
    private const int LongestStop = 1024;

    /// <summary>Most tokens to generate; what the context leaves if that is less.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>No end-of-sequence or stop token is drawn before this many tokens.</summary>
    public int MinTokens { get; init; }

    /// <summary>How tokens are drawn.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Generation ends before the first of these appears in the text.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Generation ends with the first of these tokens, beside the model's own end-of-sequence tokens.</summary>
    public IReadOnlyList<int> StopTokens { get; init; } = [];

    /// <summary>Goes on after an end-of-sequence token of the model.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Log-probabilities of each token and of this many most probable ones; null for none.</summary>
    public int? TopLogProbabilities { get; init; }

    /// <summary>Log-probabilities of the prompt's tokens as well, with as many alternatives.</summary>
    public bool PromptLogProbabilities { get; init; }

    /// <summary>
    /// Of a model with an encoder: what its text begins with after the model's start token, in place of what else the model begins with; the token of the language
    /// to translate into, for instance. It is no part of what is generated.
    /// </summary>
    public IReadOnlyList<int> TargetPrefix { get; init; } = [];

    /// <summary>Who is served first: a request of priority p stands in line as if it had arrived 10·p seconds later. 0 is usual.</summary>
    public int Priority { get; init; }

    /// <summary>Time from the request's arrival after which it is given up; null for none.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Wants the prompt's embedding instead of tokens.</summary>
    internal Pooling? Pooling { get; init; }

    /// <summary>Checks that every option is in its range.</summary>
    /// <param name="vocabularySize">V of the model.</param>
    /// <exception cref="OptionException">One is not; the message names it, its value and the range.</exception>
    public void Validate(int vocabularySize)
    {
        Sampling.Validate();
        OptionException.ThrowUnless(MaxTokens >= 1, "max_tokens", MaxTokens, "at least 1");
        OptionException.ThrowUnless(MinTokens >= 0 && MinTokens <= MaxTokens, "min_tokens", MinTokens, $"from 0 to max_tokens, {MaxTokens}");
        OptionException.ThrowUnless(TopLogProbabilities is null or (>= 0 and <= MostTopLogProbabilities), "top_logprobs", TopLogProbabilities, $"from 0 to {MostTopLogProbabilities}");
        OptionException.ThrowUnless(Priority is >= -1000 and <= 1000, "priority", Priority, "from -1000 to 1000");
        OptionException.ThrowUnless(Timeout is null || Timeout > TimeSpan.Zero, "timeout", Timeout, "a positive time");
        OptionException.ThrowUnless(!PromptLogProbabilities || TopLogProbabilities is not null, "top_logprobs", null, "given for those of the prompt");
        OptionException.ThrowUnless(StopStrings.Count <= MostStops, "stop", StopStrings.Count, $"at most {MostStops} strings");
        OptionException.ThrowUnless(StopStrings.All(stop => stop.Length is > 0 and <= LongestStop), "stop", "a string", $"of 1 to {LongestStop} characters");
        foreach (var token in StopTokens)
            OptionException.ThrowUnless((uint)token < (uint)vocabularySize, "stop_token_ids", token, $"the id of one of the model's {vocabularySize} tokens");
        foreach (var token in TargetPrefix)
            OptionException.ThrowUnless((uint)token < (uint)vocabularySize, "target_prefix", token, $"of the ids of the model's {vocabularySize} tokens");
        foreach (var token in Sampling.LogitBias.Keys)
            OptionException.ThrowUnless((uint)token < (uint)vocabularySize, "logit_bias", token, $"about the ids of the model's {vocabularySize} tokens");
    }
}

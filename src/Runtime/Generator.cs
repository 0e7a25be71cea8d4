using Weft.Sampling;

namespace Weft;

/// <summary>What to generate.</summary>
public sealed record GenerationOptions
{
    /// <summary>Most tokens to generate.</summary>
    public int MaxTokens { get; init; } = 256;

    /// <summary>How tokens are drawn.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Generation ends before the first of these appears in the text.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Goes on after an end-of-sequence token.</summary>
    public bool IgnoreEos { get; init; }
}

/// <summary>Why generation ended.</summary>
public enum FinishReason
{
    /// <summary>An end-of-sequence token or a stop string.</summary>
    Stop,

    /// <summary>The token limit or the end of the context.</summary>
    Length,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}

/// <summary>What a generation did and how long it took.</summary>
/// <param name="Text">All text, without the stop string.</param>
/// <param name="Tokens">Generated ids.</param>
/// <param name="FinishReason">Why it ended.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="Prefill">Time to process the prompt.</param>
/// <param name="TimeToFirstToken">Time until the first token was drawn.</param>
/// <param name="Decode">Time from the first token to the last.</param>
public sealed record GenerationResult(
    string Text,
    IReadOnlyList<int> Tokens,
    FinishReason FinishReason,
    int PromptTokens,
    TimeSpan Prefill,
    TimeSpan TimeToFirstToken,
    TimeSpan Decode);

/// <summary>Generates text from a prompt with one sequence.</summary>
public static class Generator
{
    /// <summary>Generates; <paramref name="onText"/> receives text as it becomes final.</summary>
    public static GenerationResult Generate(
        Model model,
        ReadOnlySpan<int> prompt,
        GenerationOptions options,
        Action<string>? onText = null,
        CancellationToken cancellationToken = default) => throw new NotImplementedException();
}

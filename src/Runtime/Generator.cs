using System.Diagnostics;
using System.Text;
using Weft.Sampling;
using Weft.Tokenizers;

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
/// <param name="Tokens">Generated ids, without an end-of-sequence token.</param>
/// <param name="FinishReason">Why it ended.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="TimeToFirstToken">Time to process the prompt and draw the first token.</param>
/// <param name="Decode">Time from the first token to the last.</param>
public sealed record GenerationResult(
    string Text,
    IReadOnlyList<int> Tokens,
    FinishReason FinishReason,
    int PromptTokens,
    TimeSpan TimeToFirstToken,
    TimeSpan Decode);

/// <summary>Generates text from a prompt with one sequence.</summary>
public static class Generator
{
    /// <summary>Generates; <paramref name="onText"/> receives text as it becomes final.</summary>
    /// <exception cref="WeftException">The model has no tokenizer, the prompt is empty or does not fit, or an option is out of range.</exception>
    public static GenerationResult Generate(
        Model model,
        ReadOnlySpan<int> prompt,
        GenerationOptions options,
        Action<string>? onText = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        var tokenizer = model.Tokenizer ?? throw new WeftException("the model has no tokenizer, so it can generate no text");
        if (prompt.IsEmpty)
            throw new WeftException("the prompt is empty and the model has no token to start with");

        var run = new Run(model, tokenizer, options, onText);
        return run.Generate(prompt, cancellationToken);
    }

    /// <summary>The state of one generation.</summary>
    private sealed class Run(Model model, Tokenizer tokenizer, GenerationOptions options, Action<string>? onText)
    {
        private readonly StreamingDetokenizer detokenizer = new(tokenizer);
        private readonly StopStrings stops = new(options.StopStrings);
        private readonly List<int> tokens = [];
        private readonly StringBuilder text = new();

        public GenerationResult Generate(ReadOnlySpan<int> prompt, CancellationToken cancellationToken)
        {
            var clock = Stopwatch.StartNew();
            var first = TimeSpan.Zero;
            var reason = FinishReason.Length;
            try
            {
                using var stream = new TokenStream(model, prompt, options.Sampling, options.MaxTokens, cancellationToken);
                while (stream.TryNext(out var token))
                {
                    if (first == TimeSpan.Zero)
                        first = clock.Elapsed;
                    cancellationToken.ThrowIfCancellationRequested();
                    if (IsLast(token))
                    {
                        reason = FinishReason.Stop;
                        break;
                    }
                }
            }
            catch (OperationCanceledException)
            {
                reason = FinishReason.Cancelled;
            }

            if (!stops.IsMatched)
            {
                Emit(stops.Append(detokenizer.Flush()));
                Emit(stops.Flush());
            }

            var end = clock.Elapsed;
            return new(text.ToString(), tokens, reason, prompt.Length, first == TimeSpan.Zero ? end : first, first == TimeSpan.Zero ? first : end - first);
        }

        /// <summary>Takes a token; generation ends with it if it is an end-of-sequence token or completes a stop string.</summary>
        private bool IsLast(int token)
        {
            if (!options.IgnoreEos && model.Header.Generation.EosTokens.Contains(token))
                return true;
            tokens.Add(token);
            Emit(stops.Append(detokenizer.Append(token)));
            return stops.IsMatched;
        }

        private void Emit(string piece)
        {
            if (piece.Length == 0)
                return;
            text.Append(piece);
            onText?.Invoke(piece);
        }
    }
}

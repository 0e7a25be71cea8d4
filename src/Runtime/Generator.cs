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
        private readonly float[] logits = new float[model.Header.Model.VocabularySize];
        private readonly Sampler sampler = new(options.Sampling, model.Header.Model.VocabularySize);
        private readonly StreamingDetokenizer detokenizer = new(tokenizer);
        private readonly StopStrings stops = new(options.StopStrings);
        private readonly List<int> tokens = [];
        private readonly StringBuilder text = new();

        public GenerationResult Generate(ReadOnlySpan<int> prompt, CancellationToken cancellationToken)
        {
            var clock = Stopwatch.StartNew();
            using var sequence = model.CreateSequence();
            sampler.Observe(prompt);
            try
            {
                sequence.Forward(prompt, LogitRows.Last, logits, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return Result(FinishReason.Cancelled, prompt.Length, clock.Elapsed, clock.Elapsed, clock.Elapsed);
            }

            var prefill = clock.Elapsed;
            var first = TimeSpan.Zero;
            var reason = FinishReason.Length;
            while (tokens.Count < options.MaxTokens)
            {
                if (cancellationToken.IsCancellationRequested)
                {
                    reason = FinishReason.Cancelled;
                    break;
                }

                var token = sampler.Sample(logits);
                if (first == TimeSpan.Zero)
                    first = clock.Elapsed;
                if (!options.IgnoreEos && model.Header.Generation.EosTokens.Contains(token))
                {
                    reason = FinishReason.Stop;
                    break;
                }

                tokens.Add(token);
                Emit(stops.Append(detokenizer.Append(token)));
                if (stops.IsMatched)
                {
                    reason = FinishReason.Stop;
                    break;
                }

                if (tokens.Count == options.MaxTokens || sequence.Length == model.ContextLength)
                    break;
                sequence.Forward([token], LogitRows.Last, logits, CancellationToken.None);
            }

            if (!stops.IsMatched)
            {
                Emit(stops.Append(detokenizer.Flush()));
                Emit(stops.Flush());
            }

            return Result(reason, prompt.Length, prefill, first, clock.Elapsed);
        }

        private void Emit(string piece)
        {
            if (piece.Length == 0)
                return;
            text.Append(piece);
            onText?.Invoke(piece);
        }

        private GenerationResult Result(FinishReason reason, int promptTokens, TimeSpan prefill, TimeSpan first, TimeSpan end) =>
            new(text.ToString(), tokens, reason, promptTokens, prefill, first, end - first);
    }
}

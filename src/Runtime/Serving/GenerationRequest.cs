using System.Diagnostics;
using System.Runtime.InteropServices;
using Weft.KvCache;
using Weft.Models;
using Weft.Sampling;
using Weft.Scheduling;
using Weft.Tokenizers;

namespace Weft.Serving;

/// <summary>A request in the engine's hands: how its tokens are drawn, and how they become text for its <see cref="Generation"/>.</summary>
internal sealed class GenerationRequest : Request
{
    private readonly StreamingDetokenizer? detokenizer;
    private readonly StopStrings stops;
    private readonly HashSet<int> ends;
    private readonly int vocabularySize;

    public GenerationRequest(Generation generation, ReadOnlySpan<int> prompt, int maxTokens, EngineModel model, BlockTable table, long arrival)
        : base(Beginning(generation, prompt, model), maxTokens, table, Stopwatch.GetElapsedTime(0, arrival).Ticks + (generation.Options.Priority * Scheduler.PriorityTicks), generation.Id)
    {
        Generation = generation;
        VirtualTokens = model.VirtualTokens;
        Arrival = arrival;
        var options = generation.Options;
        Deadline = options.Timeout is { } timeout ? arrival + (long)Math.Min(timeout.TotalSeconds * Stopwatch.Frequency, long.MaxValue / 4.0) : long.MaxValue;
        WantsPromptLogits = options.PromptLogProbabilities || options.Pooling == Pooling.Mean;
        Prefix = Prefix.Find(model.Prefix, prompt);
        Source = model.Encoder is null ? null : new(prompt.ToArray(), new BlockTable(model.Blocks, model.ContextLength));
        Pooler = options.Pooling is { } pooling ? new(pooling, model.FinalNorm) : null;
        ends = [.. options.StopTokens, .. options.IgnoreEos ? [] : model.EosTokens];
        vocabularySize = model.VocabularySize;
        detokenizer = model.Tokenizer is null ? null : new(model.Tokenizer);
        stops = new(options.StopStrings);
    }

    /// <summary>What the text of a model with an encoder begins with.</summary>
    public static int[] Start(EncoderDescription encoder, GenerationOptions options) =>
        options.TargetPrefix.Count == 0 ? [.. encoder.StartTokens] : [encoder.StartTokens[0], .. options.TargetPrefix];

    // What stands for virtual tokens is not looked at: their positions say what they are.
    private static int[] Beginning(Generation generation, ReadOnlySpan<int> prompt, EngineModel model) =>
        model.Encoder is { } encoder ? Start(encoder, generation.Options) : [.. new int[model.VirtualTokens], .. prompt];

    /// <summary>What its caller reads.</summary>
    public Generation Generation { get; }

    /// <summary>
    /// Draws its tokens. Made for its first step: penalties and log-probabilities take megabytes where vocabularies are large, and thousands may wait.
    /// </summary>
    public Sampler Sampler => field ??= CreateSampler();

    /// <summary>Draws them on the host instead; null where the device can.</summary>
    public HostSampler? HostSampler => field ??= HostSampler.IsNeeded(Generation.Options) ? new(Sampler, Generation.Options, ends, vocabularySize) : null;

    /// <summary>Makes the embedding that is wanted in place of tokens; null for those.</summary>
    public Pooler? Pooler { get; }

    /// <summary>When it arrived, in units of <see cref="Stopwatch"/>.</summary>
    public long Arrival { get; }

    /// <summary>When it is given up.</summary>
    public long Deadline { get; }

    /// <summary>It gave way, or a step of its failed: its sampler must start again from the tokens that are known.</summary>
    public bool MustResume { get; set; }

    /// <summary>When its last token was drawn, in units of <see cref="Stopwatch"/>.</summary>
    public long LastToken { get; set; }

    /// <summary>Brings its sampler to where it is: after the tokens that are known.</summary>
    public void Resume()
    {
        MustResume = false;
        var tokens = CollectionsMarshal.AsSpan(Tokens);
        Sampler.Resume(tokens[VirtualTokens..PromptLength], tokens[PromptLength..]);
    }

    private Sampler CreateSampler()
    {
        var sampler = new Sampler(Generation.Options.Sampling, vocabularySize);
        sampler.Observe(CollectionsMarshal.AsSpan(Tokens)[VirtualTokens..PromptLength]);
        return sampler;
    }

    /// <summary>Takes a token that was drawn.</summary>
    /// <returns>Why the generation ends with it, or null.</returns>
    public FinishReason? Accept(int token, TokenLogProbabilities? logProbabilities)
    {
        Receive(token);
        Generation.GeneratedTokens++;
        var isEnd = ends.Contains(token);
        var text = isEnd || detokenizer is null ? "" : stops.Append(detokenizer.Append(token));
        FinishReason? reason = isEnd || stops.IsMatched ? FinishReason.Stop : DrawsLeft + Drawing == 0 ? FinishReason.Length : null;
        if (reason is not null && !stops.IsMatched && detokenizer is not null)
            text += stops.Append(detokenizer.Flush()) + stops.Flush();
        Generation.StopString = stops.Match;
        Generation.Write(new(token, text, logProbabilities, isEnd));
        return reason;
    }
}

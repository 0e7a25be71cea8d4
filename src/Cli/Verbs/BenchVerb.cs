using System.Diagnostics;
using System.Globalization;
using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Cli.Probes;
using Weft.Profile.Probes;
using Weft.Tensors;

namespace Weft.Cli.Verbs;

/// <summary><c>weft bench</c>: prefill and decode speed beside what this machine's memory and multiply-add units allow.</summary>
[Verb("bench", HelpText = "Measures prefill and decode speed and, in alternation, this machine's memory bandwidth and multiply-add rate.")]
internal sealed class BenchVerb : ExecutionVerb, IVerb
{
    private const int DefaultPrefill = 512;
    private const int DefaultDecode = 128;
    private const int TokenSeed = 20;

    /// <summary>Long enough for the just-in-time compiler to finish with the code that steps of a small model run through.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    /// <summary>Prompt tokens.</summary>
    [Option("prefill", MetaValue = "N", HelpText = "Tokens of the prompt (512, or less if the model's context is short).")]
    public int? Prefill { get; set; }

    /// <summary>Generated tokens.</summary>
    [Option("decode", MetaValue = "N", HelpText = "Tokens after it, one a step (128, or less if the model's context is short).")]
    public int? Decode { get; set; }

    /// <summary>Repetitions.</summary>
    [Option("repeat", MetaValue = "N", HelpText = "Measured repetitions, after a warm-up (5).")]
    public int Repeat { get; set; } = 5;

    /// <summary>Machine-readable output.</summary>
    [Option("json", HelpText = "Prints JSON.")]
    public bool Json { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        Check.AtLeast("--prefill", Prefill ?? 1, 1);
        Check.AtLeast("--decode", Decode ?? 1, 1);
        Check.AtLeast("--repeat", Repeat, 1);
        using var model = Load(session);
        var context = model.ContextLength;
        var prefill = Prefill ?? Math.Max(1, Math.Min(DefaultPrefill, context * 3 / 4));
        var decode = Decode ?? Math.Max(1, Math.Min(DefaultDecode, context - prefill));
        if ((long)prefill + decode > context)
            throw new WeftException($"'{Model}' has a context of {context} tokens, fewer than --prefill {prefill} and --decode {decode} together");

        var report = Measure(session, model, prefill, decode);
        if (Json)
            session.Terminal.Out.WriteJson(report, CliJson.Default.BenchReport);
        else
            BenchTable.Write(session.Terminal, report);
        return ExitCodes.Success;
    }

    private BenchReport Measure(Session session, Model model, int prefill, int decode)
    {
        var probe = new MachineProbe(Threads ?? Environment.ProcessorCount);
        var random = new Random(TokenSeed);
        var tokens = new int[prefill + decode];
        foreach (ref var token in tokens.AsSpan())
            token = random.Next(model.Header.Model.VocabularySize);

        var logits = new float[model.Header.Model.VocabularySize];
        var warmUp = Stopwatch.StartNew();
        do
        {
            using var sequence = model.CreateSequence();
            RunPrefill(model, sequence, tokens.AsSpan(0, prefill), logits, session.Cancellation);
            RunDecode(sequence, tokens.AsSpan(prefill), logits, session.Cancellation);
        }
        while (warmUp.Elapsed < WarmUp);

        List<Sample> prefills = [], decodes = [];
        for (var repetition = 0; repetition < Repeat; repetition++)
        {
            session.Cancellation.ThrowIfCancellationRequested();
            using var sequence = model.CreateSequence();
            prefills.Add(Between(probe.MeasureFusedMultiplyAdd, prefill, () =>
                RunPrefill(model, sequence, tokens.AsSpan(0, prefill), logits, session.Cancellation)));
            decodes.Add(Between(probe.MeasureReadBandwidth, decode, () =>
                RunDecode(sequence, tokens.AsSpan(prefill), logits, session.Cancellation)));
        }

        return BenchReport.Of(Model, model, model.CacheType.Name(), probe.Threads, (prefill, decode, Repeat), prefills, decodes);
    }

    /// <summary>
    /// Measures between two runs of a probe and keeps the higher one: shared machines change speed from second to second, and the ratio to
    /// the better of its neighbours never flatters.
    /// </summary>
    private static Sample Between(Func<double> probe, int tokens, Func<TimeSpan> measure)
    {
        var before = probe();
        var time = measure();
        return new Sample(tokens / time.TotalSeconds, Math.Max(before, probe()));
    }

    /// <summary>Reads a prompt; of an encoder-decoder that is encoding it and the first token.</summary>
    private static TimeSpan RunPrefill(Model model, Sequence sequence, ReadOnlySpan<int> prompt, float[] logits, CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        if (model.Header.Model.Encoder is { } encoder)
        {
            sequence.Encode(prompt);
            prompt = encoder.StartTokens.Take(1).ToArray();
        }

        sequence.Forward(prompt, LogitRows.Last, logits, cancellation);
        return Stopwatch.GetElapsedTime(start);
    }

    private static TimeSpan RunDecode(Sequence sequence, ReadOnlySpan<int> next, float[] logits, CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < next.Length; i++)
            sequence.Forward(next.Slice(i, 1), LogitRows.Last, logits, cancellation);
        return Stopwatch.GetElapsedTime(start);
    }
}

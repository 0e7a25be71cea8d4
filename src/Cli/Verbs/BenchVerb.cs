using System.Diagnostics;
using System.Globalization;
using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Cli.Probes;

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
    [Option("repeat", MetaValue = "N", Default = 5, HelpText = "Measured repetitions, after a warm-up (5).")]
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
        var context = model.Header.Model.ContextLength;
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

        var warmUp = Stopwatch.StartNew();
        do
            Step(model, tokens.AsSpan(0, prefill), tokens.AsSpan(prefill), session.Cancellation);
        while (warmUp.Elapsed < WarmUp);

        List<double> prefills = [], decodes = [], bandwidths = [], rates = [];
        for (var repetition = 0; repetition < Repeat; repetition++)
        {
            session.Cancellation.ThrowIfCancellationRequested();
            var (bandwidth, rate) = (probe.MeasureReadBandwidth(), probe.MeasureFusedMultiplyAdd());
            var (prefillTime, decodeTime) = Step(model, tokens.AsSpan(0, prefill), tokens.AsSpan(prefill), session.Cancellation);
            bandwidths.Add(bandwidth / 1e9);
            rates.Add(rate / 1e9);
            prefills.Add(prefill / prefillTime.TotalSeconds);
            decodes.Add(decode / decodeTime.TotalSeconds);
        }

        return BenchReport.Of(Model, model, Cache, probe.Threads, (prefill, decode, Repeat), prefills, decodes, bandwidths, rates);
    }

    private static (TimeSpan Prefill, TimeSpan Decode) Step(
        Model model, ReadOnlySpan<int> prompt, ReadOnlySpan<int> next, CancellationToken cancellation)
    {
        var logits = new float[model.Header.Model.VocabularySize];
        using var sequence = model.CreateSequence();
        var start = Stopwatch.GetTimestamp();
        sequence.Forward(prompt, LogitRows.Last, logits, cancellation);
        var prefill = Stopwatch.GetElapsedTime(start);
        start = Stopwatch.GetTimestamp();
        for (var i = 0; i < next.Length; i++)
            sequence.Forward(next.Slice(i, 1), LogitRows.Last, logits, cancellation);

        return (prefill, Stopwatch.GetElapsedTime(start));
    }
}

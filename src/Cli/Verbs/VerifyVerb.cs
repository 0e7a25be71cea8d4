using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Cli.Storage;
using Weft.Tensors;

namespace Weft.Cli.Verbs;

/// <summary>
/// <c>weft verify</c>: compares a model with what the reference implementation computed: the logits of a prompt, then the
/// greedy continuation token by token, feeding the expected token whatever was predicted.
/// </summary>
[Verb("verify", HelpText = "Compares a model's logits and greedy continuation with those in an expected.safetensors; exit code 1 when they differ.")]
internal sealed class VerifyVerb : ExecutionVerb, IVerb
{
    private const double ExactTolerance = 1e-5;
    private const double HalfCacheTolerance = 2e-3;

    /// <summary>Expected values.</summary>
    [Option("expected", MetaValue = "FILE", Required = true, HelpText = "The expected.safetensors of the checkpoint. Required.")]
    public string Expected { get; set; } = "";

    /// <summary>Largest relative RMS that passes.</summary>
    [Option("tolerance", MetaValue = "T", HelpText = "Largest relative RMS that passes; 2e-3 with a 16-bit cache, 1e-5 with f32 when not given.")]
    public double? Tolerance { get; set; }

    /// <summary>Machine-readable output.</summary>
    [Option("json", HelpText = "Prints JSON.")]
    public bool Json { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        Check.AtLeast("--tolerance", Tolerance ?? 0, 0);
        var tolerance = Tolerance ?? (CacheType == DataType.Float32 ? ExactTolerance : HalfCacheTolerance);
        var expected = ExpectedOutputs.Read(Expected);
        using var model = Load(session);
        var report = Compare(session, model, expected, tolerance);
        if (Json)
            session.Terminal.Out.WriteJson(report, CliJson.Default.VerifyReport);
        else
            report.Write(session.Terminal.Out);
        return report.Pass ? ExitCodes.Success : ExitCodes.Failure;
    }

    private VerifyReport Compare(Session session, Model model, ExpectedOutputs expected, double tolerance)
    {
        var vocabulary = model.Header.Model.VocabularySize;
        if (expected.Vocabulary != vocabulary)
            throw new WeftException($"'{Expected}' has logits over {expected.Vocabulary} tokens, but '{Model}' has a vocabulary of {vocabulary}");
        if (expected.PromptIds.Concat(expected.GeneratedIds).FirstOrDefault(id => id < 0 || id >= vocabulary, -1) is not -1 and var bad)
            throw new WeftException($"'{Expected}' holds token {bad}, which is not in the vocabulary of '{Model}'");

        using var sequence = model.CreateSequence();
        var logits = new float[(long)expected.PromptIds.Count * vocabulary];
        sequence.Forward([.. expected.PromptIds], LogitRows.All, logits, session.Cancellation);
        var prompt = LogitError.Between(logits, expected.Logits);

        var continuation = new LogitError();
        var (matched, withinMargin, wrong) = (0, 0, (int?)null);
        var actual = logits.AsSpan(logits.Length - vocabulary).ToArray();
        for (var step = 0; step < expected.GeneratedIds.Count; step++)
        {
            var row = expected.GeneratedLogits.AsSpan(step * vocabulary, vocabulary);
            continuation = continuation.With(actual, row);
            if (Argmax(actual) == expected.GeneratedIds[step])
                matched++;
            else if (Margin(row) <= prompt.Max)
                withinMargin++;
            else
                wrong ??= step;
            if (step + 1 < expected.GeneratedIds.Count)
                sequence.Forward([expected.GeneratedIds[step]], LogitRows.Last, actual, session.Cancellation);
        }

        return new VerifyReport(
            Model, Expected, model.DeviceName, Cache, tolerance, expected.PromptIds.Count, prompt.RelativeRms, prompt.Max,
            expected.GeneratedIds.Count, matched, withinMargin, wrong, continuation.RelativeRms);
    }

    private static int Argmax(ReadOnlySpan<float> row)
    {
        var best = 0;
        for (var i = 1; i < row.Length; i++)
        {
            if (row[i] > row[best])
                best = i;
        }

        return best;
    }

    /// <summary>The best logit minus the second best: how much error a greedy choice survives.</summary>
    private static double Margin(ReadOnlySpan<float> row)
    {
        var (best, second) = (float.NegativeInfinity, float.NegativeInfinity);
        foreach (var logit in row)
        {
            if (logit > best)
                (best, second) = (logit, best);
            else if (logit > second)
                second = logit;
        }

        return (double)best - second;
    }
}

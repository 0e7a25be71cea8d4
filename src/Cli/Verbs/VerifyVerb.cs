using CommandLine;
using Weft.Backends.Cpu;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Cli.Storage;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Cli.Verbs;

/// <summary>
/// <c>weft verify</c>: compares a model with what the reference implementation computed: the logits of a prompt, then the
/// greedy continuation token by token, feeding the expected token whatever was predicted.
/// </summary>
[Verb("verify", HelpText = "Compares a model's logits and greedy continuation with those in an expected.safetensors; exit code 1 when they differ. A folder of such checkpoints gives a table; --device may then name several, as in cpu,sim.")]
internal sealed class VerifyVerb : ExecutionVerb, IVerb
{
    private const double ExactTolerance = 1e-5;
    private const double HalfCacheTolerance = 2e-3;
    private const double QuantizedTolerance = 2e-2; // a CPU without AVX-512 VNNI or AMX rounds activations to 8 bits for quantized weights
    private const double Float16Tolerance = 3e-3;
    private const double BFloat16Tolerance = 2e-2;

    /// <summary>Expected values.</summary>
    [Option("expected", MetaValue = "FILE", HelpText = "What to compare with; expected.safetensors in the checkpoint's folder, or beside a GGUF file, when not given.")]
    public string? Expected { get; set; }

    /// <summary>Largest relative RMS that passes.</summary>
    [Option("tolerance", MetaValue = "T", HelpText = "Largest relative RMS that passes. When not given: CPU 2e-3, 1e-5 with --cache f32 or weights of f32, 2e-2 with quantized weights unless it has AVX-512 VNNI or AMX, or --activations is f32; GPU 2e-2 in bf16, 3e-3 in f16. Where the model magnifies rounding (unscaled scores, state spaces) f32 counts as 16 bits and f16 as bf16.")]
    public double? Tolerance { get; set; }

    /// <summary>Machine-readable output.</summary>
    [Option("json", HelpText = "Prints JSON.")]
    public bool Json { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        Check.AtLeast("--tolerance", Tolerance ?? 0, 0);
        if (Expected is null && VerifyFolder.Checkpoints(Model) is { Count: > 0 } folders)
            return VerifyFolder.Run(session, folders, Device.Split(','), Json, Report);
        var report = Report(session);
        if (Json)
            session.Terminal.Out.WriteJson(report, CliJson.Default.VerifyReport);
        else
            report.Write(session.Terminal.Out);
        return report.Pass ? ExitCodes.Success : ExitCodes.Failure;
    }

    /// <summary>The same for one of several checkpoints, on one of several devices.</summary>
    private VerifyReport Report(Session session, string model, string device)
    {
        var one = (VerifyVerb)MemberwiseClone();
        (one.Model, one.Device) = (model, device);
        return one.Report(session);
    }

    private VerifyReport Report(Session session)
    {
        var path = Expected ?? Path.Combine(Model.EndsWith(Checkpoint.FileEnd, StringComparison.OrdinalIgnoreCase) ? Path.GetDirectoryName(Model)! : Model, ExpectedOutputs.FileName);
        if (Expected is null && !File.Exists(path))
            throw new UsageException($"'{Model}' is not a folder with an expected.safetensors: --expected names the file to compare with");
        var expected = ExpectedOutputs.Read(path, Model);
        using var model = Load(session, expected);
        return Compare(session, model, path, expected, Tolerance ?? DefaultTolerance(model));
    }

    /// <summary>Texts longer than the model's context need as much of a cache, where the model has an open end; others are refused as they are.</summary>
    private Model Load(Session session, ExpectedOutputs expected)
    {
        var needed = expected.PromptIds.Count + expected.DecoderIds.Count + expected.GeneratedIds.Count;
        using var file = WeftFile.Open(ModelStore.Resolve(Model, session));
        return Load(session, needed > file.Header.Model.ContextLength ? needed : 0);
    }

    private double DefaultTolerance(Model model) => model.ActivationType switch
    {
        DataType.Float16 => model.MagnifiesRounding || RoundsWeights(model) ? BFloat16Tolerance : Float16Tolerance,
        DataType.BFloat16 => BFloat16Tolerance,
        _ when ActivationType != DataType.Float32 && !InstructionSets.Best.HasWords() && model.Header.Tensors.Any(tensor => tensor.Quantization is not null) => QuantizedTolerance,
        // Where nobody asked for a cache of f32 it may have been too small to be anything else; what is stored in fewer bits was rounded to 16 on the way in.
        _ => (CacheType ?? StoredType(model)) == DataType.Float32 && !model.MagnifiesRounding ? ExactTolerance : HalfCacheTolerance,
    };

    /// <summary>What is stored in f32 loses digits on a GPU, whatever the 16-bit type.</summary>
    private static bool RoundsWeights(Model model) => StoredType(model) == DataType.Float32;

    private static DataType StoredType(Model model) => model.Header.Tensors.MaxBy(tensor => tensor.Length)!.DataType;

    private VerifyReport Compare(Session session, Model model, string path, ExpectedOutputs expected, double tolerance)
    {
        var vocabulary = model.Header.Model.VocabularySize;
        if (expected.Vocabulary != vocabulary)
            throw new WeftException($"'{path}' has logits over {expected.Vocabulary} tokens, but '{Model}' has a vocabulary of {vocabulary}");
        if (expected.PromptIds.Concat(expected.DecoderIds).Concat(expected.GeneratedIds).FirstOrDefault(id => id < 0 || id >= vocabulary, -1) is not -1 and var bad)
            throw new WeftException($"'{path}' holds token {bad}, which is not in the vocabulary of '{Model}'");

        var isEncoded = model.Header.Model.Encoder is not null;
        if (isEncoded != expected.DecoderIds.Count > 0)
            throw new WeftException(isEncoded ? $"'{path}' has no decoder_ids, but '{Model}' is an encoder-decoder" : $"'{path}' has decoder_ids, but '{Model}' has no encoder");
        using var sequence = model.CreateSequence();
        if (isEncoded)
            sequence.Encode([.. expected.PromptIds]);
        int[] tokens = [.. isEncoded ? expected.DecoderIds : expected.PromptIds];
        var logits = new float[(long)tokens.Length * vocabulary];
        sequence.Forward(tokens, LogitRows.All, logits, session.Cancellation);
        var prompt = LogitError.Between(logits, expected.Logits);

        var continuation = new LogitError();
        var (matched, withinMargin, wrong) = (0, 0, (int?)null);
        var actual = logits.AsSpan(logits.Length - vocabulary).ToArray();
        if (isEncoded)
        {
            // The continuation begins where any answer does.
            sequence.Truncate(0);
            sequence.Forward(tokens.AsSpan(0, 1), LogitRows.Last, actual, session.Cancellation);
        }

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
            if (step + 1 == expected.GeneratedIds.Count)
                break;
            int[] next = [expected.GeneratedIds[step]];
            if (sequence.Length == model.KeysLast)
            {
                sequence.Truncate(0);
                next = [.. tokens, .. expected.GeneratedIds.Take(step + 1)];
            }

            sequence.Forward(next, LogitRows.Last, actual, session.Cancellation);
        }

        return new VerifyReport(
            Model, path, model.DeviceName, model.CacheType.Name(), tolerance, tokens.Length, prompt.RelativeRms, prompt.Max,
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

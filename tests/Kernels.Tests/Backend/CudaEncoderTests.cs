using Weft.Interop;
using Weft.Kernels.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests.Backend;

/// <summary>Models with an encoder on the CUDA backend, against the plain definition and many at a time.</summary>
[TestFixture]
public sealed class CudaEncoderTests
{
    // What the product promises of 16-bit activations.
    private static readonly Dictionary<DataType, double> Tolerances = new() { [DataType.Float16] = 3e-3, [DataType.BFloat16] = 2e-2 };

    // Heads of 24 have zeros behind them.
    private static IEnumerable<object[]> Cases => EncoderModels.Names.Select(name => (object[])[name, DataType.Float16, 32])
        .Concat([["rotary", DataType.BFloat16, 32], ["rotary", DataType.Float16, 24], ["bias by distance", DataType.BFloat16, 24]]);

    [TestCaseSource(nameof(Cases))]
    public void Logits_match_the_definition_in_prefill_and_decode(string name, DataType type, int headSize)
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(EncoderModels.Describe(name, headSize), type);
        var (source, tokens) = (tiny.Tokens(75, 1), tiny.Tokens(50, 2));
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights) { Source = source }.Logits(tokens);
        using var model = Load(tiny, type, 0);
        // A start of several tokens, then single ones: launches one by one, captured, and replayed.
        var actual = Forward(model, source, tokens, [30, 3, 1, 1, 1, 1, 8, 5]);
        // Rounding turns a near tie between experts over now and then, after which a token's numbers are others.
        var error = tiny.Description.Layers[0].FeedForward!.Experts is not null
            ? ErrorMeasure.MedianRowRms(actual, expected, tiny.Description.VocabularySize)
            : ErrorMeasure.RelativeRms(actual, expected);
        Assert.That(error, Is.LessThan(Tolerances[type]));
    }

    /// <summary>Keys and values of the source are one product where queries are another.</summary>
    [Test]
    public void Unlike_keys_and_values_of_a_source_match_the_definition()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(EncoderModels.Describe("rotary", headSize: 32), DataType.Float16, unlike: name =>
            name.EndsWith(".value.weight", StringComparison.Ordinal) ? (DataType.Int8, new() { GroupSize = 64 }) : null);
        var (source, tokens) = (tiny.Tokens(40, 1), tiny.Tokens(12, 2));
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights) { Source = source }.Logits(tokens);
        using var model = Load(tiny, DataType.Float16, 0);
        Assert.That(ErrorMeasure.RelativeRms(Forward(model, source, tokens, [9, 1, 1, 1]), expected), Is.LessThan(Tolerances[DataType.Float16]));
    }

    [Test]
    public void A_source_of_several_splits_matches_the_definition()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(EncoderModels.Describe("bias by distance", headSize: 32) with { ContextLength = 1100 }, DataType.Float16);
        var (source, tokens) = (tiny.Tokens(600, 1), tiny.Tokens(4, 2));
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights) { Source = source }.Logits(tokens);
        using var model = Load(tiny, DataType.Float16, 0);
        Assert.That(ErrorMeasure.RelativeRms(Forward(model, source, tokens, [1, 1, 1, 1]), expected), Is.LessThan(Tolerances[DataType.Float16]));
    }

    /// <summary>Sequences give way and have their source encoded again, others' sources are longer and shorter.</summary>
    [Test]
    public void Tokens_do_not_depend_on_what_else_runs()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(EncoderModels.Describe("bias by distance", headSize: 32), DataType.BFloat16);
        using var model = Load(tiny, DataType.BFloat16, 96);
        using var engine = new Engine(model);
        var requests = RandomLoad.Run(engine, 160, 80, 12, 6);
        Assert.That(requests.Select(request => request.Together), Is.EqualTo(requests.Select(request => request.Alone)));
        Assert.That(engine.Statistics.Preemptions, Is.Positive);
        Assert.That(() => engine.Statistics is { Running: 0, Waiting: 0, UsedBlocks: 0 }, Is.True.After(5000, 5));
    }

    /// <summary>What a failed step was to encode is encoded by the next.</summary>
    [Test]
    public void A_source_whose_step_fails_is_read_again()
    {
        _ = TestDevice.Open();
        if (!TestDevice.IsSimulator)
            Assert.Ignore("faults are injected on the software device only");
        using var tiny = TinyModel.Create(EncoderModels.Describe("rotary", headSize: 32), DataType.Float16);
        using var model = Load(tiny, DataType.Float16, 0);
        using var sequence = model.CreateSequence();
        sequence.Encode(tiny.Tokens(30, 1));
        var logits = new float[tiny.Description.VocabularySize];
        Simulator.InjectFault("cuLaunchKernelEx", (int)CudaResult.InvalidValue);
        Assert.That(() => sequence.Forward([3], LogitRows.Last, logits), Throws.TypeOf<WeftException>());
        Simulator.ClearFaults();
        sequence.Truncate(0);
        sequence.Forward([3], LogitRows.Last, logits);
        Assert.That(logits, Is.EqualTo(Forward(model, tiny.Tokens(30, 1), [3], [1])));
    }

    private static Model Load(TinyModel tiny, DataType type, int cacheTokens) => Model.Load(tiny.Path, new ModelOptions
    {
        Device = new DeviceChoice(TestDevice.IsSimulator ? DeviceKind.Simulator : DeviceKind.Cuda),
        ActivationType = type,
        CacheTokens = cacheTokens,
        MaxSequences = 8,
    });

    private static float[] Forward(Model model, int[] source, int[] tokens, int[] steps)
    {
        using var sequence = model.CreateSequence();
        var width = model.Header.Model.VocabularySize;
        var logits = new float[tokens.Length * width];
        sequence.Encode(source);
        var start = 0;
        foreach (var step in steps)
        {
            sequence.Forward(tokens.AsSpan(start, step), LogitRows.All, logits.AsSpan(start * width));
            start += step;
        }

        Assert.That(start, Is.EqualTo(tokens.Length));
        return logits;
    }
}

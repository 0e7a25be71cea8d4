using Weft.Backends.Cuda;
using Weft.Backends.Cuda.Operations;
using Weft.Interop;
using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Sampling;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Kernels.Tests.Backend;

/// <summary>Whole models on the CUDA backend against the plain definition.</summary>
[TestFixture]
public sealed class CudaModelTests
{
    // What the product promises of 16-bit activations.
    private static readonly Dictionary<DataType, double> Tolerances = new() { [DataType.Float16] = 3e-3, [DataType.BFloat16] = 2e-2 };

    private static readonly Dictionary<string, ModelDescription> Shapes = new()
    {
        ["grouped"] = Describe(),
        ["multi-head"] = Describe(heads: 2, keyValueHeads: 2),
        ["multi-query"] = Describe(heads: 7, keyValueHeads: 1),
        ["bias"] = Describe(bias: true),
        ["window"] = Describe(window: 20),
        ["odd widths"] = Describe(hidden: 100, intermediate: 91, vocabulary: 163),
        ["tied"] = Describe(tied: true),
        ["head 8"] = Describe(headSize: 8),
        ["head 48"] = Describe(headSize: 48),
        ["head 80"] = Describe(headSize: 80),
        ["head 100"] = Describe(headSize: 100, heads: 3, keyValueHeads: 1),
        ["head 128"] = Describe(headSize: 128, heads: 2, keyValueHeads: 1),
        ["head 160"] = Describe(headSize: 160, heads: 2, keyValueHeads: 1),
        ["head 256"] = Describe(headSize: 256, heads: 2, keyValueHeads: 1),
        ["gelu"] = Describe(activation: Activation.GeluTanh),
    };

    /// <summary>
    /// These run in both formats: between them they use every product, norm, attention, router and state kernel that is compiled for a format. What
    /// the others change is a branch or a number that does not know it: each runs in one, by turns.
    /// </summary>
    private static readonly string[] InBothTypes =
    [
        "grouped", "odd widths", "norms of sums", "products that decay", "latent attention", "experts, normalized", "dynamic decay", "delta rule", "selective state space", "dual state space",
    ];

    private static IEnumerable<string> ShapeNames => Shapes.Keys.Concat(BlockModels.Names.Where(name => CudaBlocks.Missing(BlockModels.Describe(name)).Count == 0));

    private static IEnumerable<object[]> ShapesInTypes() => ShapeNames.SelectMany((shape, i) =>
        ((DataType[])[DataType.Float16, DataType.BFloat16]).Where((_, place) => place == i % 2 || InBothTypes.Contains(shape)).Select(type => (object[])[shape, type]));

    [TestCaseSource(nameof(ShapesInTypes))]
    public void Logits_match_the_definition_in_prefill_and_decode(string shape, DataType type)
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(Shapes.GetValueOrDefault(shape) ?? BlockModels.Describe(shape, headSize: 32), type);
        var tokens = Tokens(tiny, 90);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights) { PromptLength = 70 }.Logits(tokens);
        using var model = Load(tiny, type);
        // A long prompt, then short steps and single tokens: launches one by one, captured, and replayed.
        var actual = Forward(model, tokens, [70, 3, 1, 1, 1, 1, 8, 5]);
        // Rounding turns a near tie between experts over now and then, after which a token's numbers are others.
        var error = tiny.Description.Layers.Any(layer => layer.FeedForward?.Experts is not null)
            ? ErrorMeasure.MedianRowRms(actual, expected, tiny.Description.VocabularySize)
            : ErrorMeasure.RelativeRms(actual, expected);
        Assert.That(error, Is.LessThan(Tolerances[type]));
    }

    /// <summary>What heads with zeros behind them may meet: norms, turns of a part, clamps, what is added to scores, and tables that fill the cache.</summary>
    [TestCase("head layer norms", 22)]
    [TestCase("head layer norms after turning of a part", 40)]
    [TestCase("norm across heads", 24)]
    [TestCase("partial rotary", 72)]
    [TestCase("clamped", 8)]
    [TestCase("alibi, window", 20)]
    [TestCase("sinks", 100)]
    [TestCase("products that decay, of a part of each head", 24)]
    [TestCase("virtual keys", 40)]
    public void Heads_between_two_sizes_match_the_definition(string shape, int headSize)
    {
        _ = TestDevice.Open((ulong)headSize);
        using var tiny = TinyModel.Create(BlockModels.Describe(shape, headSize), DataType.Float16);
        var tokens = Tokens(tiny, 90);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights) { PromptLength = 70 }.Logits(tokens);
        using var model = Load(tiny, DataType.Float16);
        Assert.That(ErrorMeasure.RelativeRms(Forward(model, tokens, [70, 3, 1, 1, 1, 1, 8, 5]), expected), Is.LessThan(Tolerances[DataType.Float16]));
    }

    /// <summary>Many rows by cuBLAS.</summary>
    [TestCase("grouped")]
    [TestCase("odd widths")]
    public void Logits_match_the_definition_where_the_batch_may_matter(string shape)
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(Shapes[shape], DataType.Float16);
        var tokens = Tokens(tiny, 190);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var model = Load(tiny, DataType.Float16, batchInvariant: false);
        Assert.That(ErrorMeasure.RelativeRms(Forward(model, tokens, [150, 3, 1, 1, 1, 1, 33]), expected), Is.LessThan(Tolerances[DataType.Float16]));
    }

    [Test]
    public void Quantized_logits_match_the_definition_whichever_way_products_go(
        [Values("grouped", "bias", "gelu")] string shape, [Values(nameof(ProductWay.Warp), nameof(ProductWay.Warpgroup), nameof(ProductWay.Numbers))] string wayName, [Values] bool isPermuted)
    {
        var way = Enum.Parse<ProductWay>(wayName);
        var device = TestDevice.Open().Context.Device;
        if (!QuantizedLinearOperation.WaysOf(device).Contains(way))
            Assert.Ignore($"{device.Name} has no wgmma");
        using var tiny = CreateQuantized(shape, isPermuted);
        var tokens = Tokens(tiny, 190);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var model = Load(tiny, DataType.Float16, batchInvariant: false, ways: ProductWays.Measure([way], 190, (_, _) => 0));
        Assert.That(ErrorMeasure.RelativeRms(Forward(model, tokens, [150, 3, 1, 1, 1, 1, 33]), expected), Is.LessThan(Tolerances[DataType.Float16]));
    }

    /// <summary>Neighbours in a product of codes that are stored as numbers, as codes of other bits, or as codes of the same bits that lie otherwise.</summary>
    private static readonly Dictionary<string, (DataType Type, Quantization? Quantization)> Unlike = new()
    {
        ["numbers"] = (DataType.Float16, null),
        ["codes of 8 bits"] = (DataType.Int8, new() { GroupSize = 64 }),
        ["other groups"] = (DataType.Int4, new() { GroupSize = 64, ZeroPoints = true }),
        ["no zero points"] = (DataType.Int4, new() { GroupSize = 32 }),
        ["zero points between codes"] = (DataType.Int4, new() { GroupSize = 32, ZeroPoints = true, Fractional = true }),
    };

    private static IEnumerable<string> UnlikeKinds => Unlike.Keys;

    [Test]
    public void Products_of_unlike_weights_match_the_definition(
        [Values("key", "value", "up")] string matrix, [ValueSource(nameof(UnlikeKinds))] string kind, [Values] bool batchInvariant)
    {
        _ = TestDevice.Open();
        using var tiny = CreateUnlike(Describe(bias: true, activation: Activation.GeluTanh), matrix, kind);
        var tokens = Tokens(tiny, 90);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        // Where the batch may matter, many rows by cuBLAS.
        using var model = Load(tiny, DataType.Float16, batchInvariant: batchInvariant, ways: ProductWays.Measure([ProductWay.Numbers], 90, (_, _) => 0));
        var actual = Forward(model, tokens, [70, 3, 1, 1, 1, 1, 8, 5]);
        Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(Tolerances[DataType.Float16]));
        if (batchInvariant)
            Assert.That(Forward(model, tokens, [3, 8, 2, 60, 17]), Is.EqualTo(Forward(model, tokens, [90])), "the same bits however the prompt is cut");
    }

    /// <summary>Numbers of several types are one type on the device, and one product.</summary>
    [Test]
    public void Codes_among_numbers_of_several_types_match_the_definition()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(Describe(), DataType.Float32, unlike: name =>
            name.EndsWith("query.weight", StringComparison.Ordinal) ? (DataType.BFloat16, null) : name.EndsWith("value.weight", StringComparison.Ordinal) ? Unlike["codes of 8 bits"] : null);
        var tokens = Tokens(tiny, 24);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var model = Load(tiny, DataType.Float16);
        Assert.That(ErrorMeasure.RelativeRms(Forward(model, tokens, [20, 1, 1, 1, 1]), expected), Is.LessThan(Tolerances[DataType.Float16]));
    }

    [Test]
    public void Experts_may_be_unlike_on_their_way_out([Values("numbers", "no zero points", "zero points between codes")] string kind)
    {
        _ = TestDevice.Open();
        using var tiny = CreateUnlike(BlockModels.Describe("experts", headSize: 32), "down", kind);
        var tokens = Tokens(tiny, 40);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var model = Load(tiny, DataType.Float16);
        Assert.That(ErrorMeasure.MedianRowRms(Forward(model, tokens, [36, 1, 3]), expected, tiny.Description.VocabularySize), Is.LessThan(Tolerances[DataType.Float16]));
    }

    [Test]
    public void Experts_of_unlike_weights_are_refused()
    {
        _ = TestDevice.Open();
        using var tiny = CreateUnlike(BlockModels.Describe("experts", headSize: 32), "up", "numbers");
        Assert.That(() => Load(tiny, DataType.Float16), Throws.TypeOf<WeftException>().With.Message.Contains("is int4 and").And.Message.Contains("f16, which experts cannot be together"));
    }

    /// <summary>What is fastest on the software device means nothing; that it was measured there and that the result is right does.</summary>
    [Test]
    public void Loading_measures_which_way_quantized_products_go()
    {
        _ = TestDevice.Open();
        using var tiny = CreateQuantized("grouped", isPermuted: false);
        using (var invariant = Load(tiny, DataType.Float16))
            Assert.That(invariant.MeasuredChoices, Is.Empty);
        var tokens = Tokens(tiny, 60);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var model = Load(tiny, DataType.Float16, batchInvariant: false);
        Assert.That(model.MeasuredChoices, Has.Count.EqualTo(4), string.Join('\n', model.MeasuredChoices));
        Assert.That(model.MeasuredChoices, Has.All.Match("int4, groups of 32, zero points.*: .*(mma.sync|wgmma|cuBLAS) to 256 rows$"));
        Assert.That(ErrorMeasure.RelativeRms(Forward(model, tokens, [57, 1, 1, 1]), expected), Is.LessThan(Tolerances[DataType.Float16]));
    }

    [Test]
    public void Every_stored_type_runs_in_both_types(
        [Values(DataType.Float32, DataType.Float16, DataType.BFloat16)] DataType stored, [Values(DataType.Float16, DataType.BFloat16)] DataType type)
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(Describe(), stored);
        var tokens = Tokens(tiny, 24);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var model = Load(tiny, type);
        Assert.That(model.ActivationType, Is.EqualTo(type));
        Assert.That(ErrorMeasure.RelativeRms(Forward(model, tokens, [20, 1, 1, 1, 1]), expected), Is.LessThan(Tolerances[type]));
    }

    [Test]
    public void A_context_of_several_splits_matches_the_definition([Values(1, 2, 3)] int seed)
    {
        _ = TestDevice.Open((ulong)seed);
        using var tiny = TinyModel.Create(Describe(layers: 1, context: 1100), DataType.Float16);
        var tokens = Tokens(tiny, 1030);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var model = Load(tiny, DataType.Float16);
        Assert.That(ErrorMeasure.RelativeRms(Forward(model, tokens, [505, 519, 1, 1, 1, 1, 1, 1]), expected), Is.LessThan(Tolerances[DataType.Float16]));
    }

    /// <summary>Keys whose factors span many powers of two have no room in f16.</summary>
    [Test]
    public void Products_that_decay_over_a_long_context_have_a_cache_of_bf16()
    {
        _ = TestDevice.Open();
        var model = Describe(context: 900, keyValueHeads: 1);
        using var tiny = TinyModel.Create(
            model with
            {
                Layers = [.. model.Layers.Select(layer => layer with { Attention = layer.Attention! with { Rotary = layer.Attention!.Rotary! with { Decay = new() { Base = 18, Origin = 450 } } } })],
            },
            DataType.Float16);
        Assert.That(
            () => Load(tiny, DataType.BFloat16, cache: DataType.Float16),
            Throws.TypeOf<WeftException>().With.Message.Contains("more powers of two than f16 has"));
        var tokens = Tokens(tiny, 800);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var loaded = Load(tiny, null);
        Assert.That(loaded.CacheType, Is.EqualTo(DataType.BFloat16));
        Assert.That(ErrorMeasure.RelativeRms(Forward(loaded, tokens, [700, 90, 1, 1, 1, 1, 6]), expected), Is.LessThan(Tolerances[DataType.BFloat16]));
    }

    [Test]
    public void The_same_step_gives_the_same_bits_launched_captured_and_replayed()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(Describe(), DataType.BFloat16);
        using var model = Load(tiny, DataType.BFloat16);
        using var sequence = model.CreateSequence();
        var logits = new float[tiny.Description.VocabularySize];
        sequence.Forward(Tokens(tiny, 33), LogitRows.Last, logits);
        var results = new List<float[]>();
        for (var repeat = 0; repeat < 4; repeat++)
        {
            sequence.Forward([5], LogitRows.Last, logits);
            results.Add([.. logits]);
            sequence.Truncate(33);
        }

        Assert.That(results[1..], Has.All.EqualTo(results[0]));
    }

    /// <summary>Few rows and many go through other kernels, and experts' tiles are other ones in each step.</summary>
    [TestCase("experts and a switched one", DataType.BFloat16)]
    [TestCase("experts in groups by two", DataType.Float16)]
    public void Experts_give_the_same_bits_however_the_prompt_is_cut(string shape, DataType type)
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(BlockModels.Describe(shape, headSize: 32), type);
        var tokens = Tokens(tiny, 90);
        using var model = Load(tiny, type);
        var whole = Forward(model, tokens, [90]);
        Assert.That(Forward(model, tokens, [47, 43]), Is.EqualTo(whole));
        Assert.That(Forward(model, tokens, [3, 8, 2, 60, 17]), Is.EqualTo(whole));
    }

    [Test]
    public void Quantized_experts_match_the_definition_and_give_the_same_bits_however_the_prompt_is_cut(
        [Values(DataType.Int4, DataType.Int8)] DataType codes, [Values(DataType.Float16, DataType.BFloat16)] DataType type, [Values] bool plain)
    {
        _ = TestDevice.Open();
        using var tiny = CreateQuantizedExperts(codes, plain, permuted: false);
        var tokens = Tokens(tiny, 90);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var model = Load(tiny, type);
        var actual = Forward(model, tokens, [70, 3, 1, 1, 1, 1, 8, 5]);
        Assert.That(ErrorMeasure.MedianRowRms(actual, expected, tiny.Description.VocabularySize), Is.LessThan(Tolerances[type]));
        Assert.That(Forward(model, tokens, [3, 8, 2, 60, 17]), Is.EqualTo(Forward(model, tokens, [90])));
    }

    [Test]
    public void Quantized_experts_in_another_order_of_columns_are_refused()
    {
        _ = TestDevice.Open();
        using var tiny = CreateQuantizedExperts(DataType.Int4, plain: true, permuted: true);
        Assert.That(() => Load(tiny, DataType.Float16), Throws.TypeOf<WeftException>().With.Message.Contains("columns in another order"));
    }

    private static TinyModel CreateQuantized(string shape, bool isPermuted) =>
        TinyModel.Create(Shapes[shape], DataType.Float16, quantization: new() { GroupSize = 32, ZeroPoints = true, Permuted = isPermuted });

    /// <summary>A model of codes where one matrix of each layer is of an <see cref="Unlike"/> kind.</summary>
    private static TinyModel CreateUnlike(ModelDescription description, string matrix, string kind) => TinyModel.Create(
        description,
        DataType.Float16,
        quantization: new() { GroupSize = 32, ZeroPoints = true },
        unlike: name => name.EndsWith($".{matrix}.weight", StringComparison.Ordinal) ? Unlike[kind] : null);

    private static TinyModel CreateQuantizedExperts(DataType codes, bool plain, bool permuted)
    {
        var model = BlockModels.Describe("experts", headSize: 32);
        return TinyModel.Create(
            model with { Layers = [.. model.Layers.Select(layer => layer with { FeedForward = layer.FeedForward! with { Plain = plain } })] },
            DataType.Float16,
            quantization: new() { GroupSize = 32, ZeroPoints = true, Permuted = permuted },
            codes: codes);
    }

    [Test]
    public void Steps_ahead_draw_what_the_host_draws_step_by_step(
        [Values("greedy", "sampled", "penalties", "greedy with penalties")] string how, [Values(1, 2, 3)] int seed)
    {
        _ = TestDevice.Open((ulong)seed);
        using var tiny = TinyModel.Create(Describe(), DataType.Float16);
        using var model = Load(tiny, DataType.Float16);
        var penalties = how.EndsWith("penalties", StringComparison.Ordinal);
        var options = new SamplingOptions
        {
            Temperature = how.StartsWith("greedy", StringComparison.Ordinal) ? 0 : 0.9f,
            TopP = 0.95f,
            RepetitionPenalty = penalties ? 1.4f : 1,
            FrequencyPenalty = penalties ? 0.3f : 0,
            Seed = (ulong)seed,
        };
        var prompt = Tokens(tiny, 21);
        var expected = DrawOnHost(model, prompt, options, 12);
        Assert.That(Draw(model, prompt, options, 12, 5), Is.EqualTo(expected[..5]), "given up with a step on its way");
        Assert.That(Draw(model, prompt, options, 12, 20), Is.EqualTo(expected));
        Assert.That(expected.Distinct().Count(), Is.GreaterThan(1));
    }

    [Test]
    public void Drawing_ends_with_the_context()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(Describe(), DataType.Float16);
        using var model = Load(tiny, DataType.Float16, 40);
        Assert.That(Draw(model, Tokens(tiny, 30), new(), 100, 100), Has.Length.EqualTo(10));
    }

    [TestCase("cuLaunchKernelEx")]
    [TestCase("cuMemcpyDtoHAsync_v2")]
    [TestCase("cuEventRecord")]
    [TestCase("cuEventSynchronize")]
    public void Drawing_that_fails_leaves_the_model_usable(string function)
    {
        _ = TestDevice.Open();
        RequireSimulator();
        using var tiny = TinyModel.Create(Describe(), DataType.Float16);
        using var model = Load(tiny, DataType.Float16);
        var prompt = Tokens(tiny, 9);
        var expected = Draw(model, prompt, new(), 8, 8);
        Simulator.InjectFault(function, (int)CudaResult.InvalidValue, 3);
        Assert.That(() => Draw(model, prompt, new(), 8, 8), Throws.TypeOf<EngineException>().With.Message.Contains(function));
        Assert.That(Draw(model, prompt, new(), 8, 8), Is.EqualTo(expected));
    }

    [Test]
    public void Sequences_do_not_disturb_each_other()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(Describe(), DataType.Float16);
        var (a, b) = (Tokens(tiny, 40), Tokens(tiny, 40).Reverse().ToArray());
        using var model = Load(tiny, DataType.Float16, 200);
        var alone = Forward(model, a, [40]);
        using var first = model.CreateSequence();
        using var second = model.CreateSequence();
        var width = tiny.Description.VocabularySize;
        var (x, y) = (new float[40 * width], new float[40 * width]);
        first.Forward(a.AsSpan(0, 20), LogitRows.All, x);
        second.Forward(b, LogitRows.All, y);
        first.Forward(a.AsSpan(20), LogitRows.All, x.AsSpan(20 * width));
        Assert.That(ErrorMeasure.RelativeRms(x, Array.ConvertAll(alone, v => (double)v)), Is.LessThan(1e-3));
    }

    [Test]
    public void A_cache_that_does_not_fit_is_refused_with_numbers_and_ways_out()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(Describe(), DataType.Float16);
        Assert.That(() => Load(tiny, DataType.Float16, 100_000_000), Throws.TypeOf<WeftException>().With.Message.Contains("B are free")
            .And.Message.Contains("smaller context").And.Message.Contains("--device cpu"));
        using var model = Load(tiny, DataType.Float16);
        Assert.That(Forward(model, [1, 2, 3], [3]), Has.None.NaN);
    }

    [Test]
    public void Memory_that_runs_out_on_the_way_is_said_so([Values(0, 3, 9)] int after)
    {
        _ = TestDevice.Open();
        RequireSimulator();
        using var tiny = TinyModel.Create(Describe(), DataType.Float16);
        Simulator.InjectFault("cuMemAlloc_v2", (int)CudaResult.OutOfMemory, after);
        Assert.That(() => Load(tiny, DataType.Float16), Throws.TypeOf<WeftException>()
            .With.Message.Contains("ran out of memory").And.Message.Contains("B are free").And.Message.Contains("--device cpu"));
        Simulator.ClearFaults();
        using var model = Load(tiny, DataType.Float16);
        Assert.That(Forward(model, [1, 2, 3], [3]), Has.None.NaN);
    }

    [TestCase("cuLaunchKernelEx")]
    [TestCase("cuMemcpyHtoDAsync_v2")]
    [TestCase("cuMemcpyDtoHAsync_v2")]
    [TestCase("cuGraphLaunch")]
    [TestCase("cuStreamBeginCapture_v2")]
    [TestCase("cuGraphInstantiateWithFlags")]
    public void A_step_that_fails_leaves_the_model_usable(string function)
    {
        _ = TestDevice.Open();
        RequireSimulator();
        using var tiny = TinyModel.Create(Describe(), DataType.Float16);
        using var model = Load(tiny, DataType.Float16);
        using var sequence = model.CreateSequence();
        var logits = new float[tiny.Description.VocabularySize];
        sequence.Forward([1, 2, 3], LogitRows.Last, logits);
        Simulator.InjectFault(function, (int)CudaResult.InvalidValue);
        var failures = 0;
        for (var step = 0; step < 4; step++)
        {
            try
            {
                sequence.Forward([4], LogitRows.Last, logits);
            }
            catch (WeftException exception)
            {
                Assert.That(exception.Message, Does.Contain(function));
                failures++;
            }

            sequence.Truncate(3);
        }

        Assert.That(failures, Is.EqualTo(1));
        var again = Forward(model, [1, 2, 3, 4], [3, 1]);
        Assert.That(logits, Is.EqualTo(again[^logits.Length..]));
    }

    [Test]
    public void A_lost_device_is_said_so_and_a_model_loaded_anew_runs(
        [Values(CudaResult.IllegalAddress, CudaResult.LaunchFailed)] CudaResult status, [Values("cuLaunchKernelEx", "cuEventSynchronize")] string function)
    {
        _ = TestDevice.Open();
        RequireSimulator();
        using var tiny = TinyModel.Create(Describe(), DataType.Float16);
        var prompt = Tokens(tiny, 9);
        int[] expected;
        using (var model = Load(tiny, DataType.Float16))
        {
            expected = Draw(model, prompt, new(), 8, 8);
            Simulator.InjectFault(function, (int)status, 3);
            Assert.That(() => Draw(model, prompt, new(), 8, 8), Throws.TypeOf<EngineException>()
                .With.Message.Contains(function).And.Message.Contains("the GPU has lost this model: load it again"));
            Simulator.ClearFaults();
        }

        using var again = Load(tiny, DataType.Float16);
        Assert.That(Draw(again, prompt, new(), 8, 8), Is.EqualTo(expected));
    }

    [Test]
    public void What_a_gpu_cannot_do_is_refused_with_the_reason()
    {
        _ = TestDevice.Open();
        using var large = TinyModel.Create(Describe(headSize: 264), DataType.Float16);
        Assert.That(
            () => Load(large, DataType.Float16),
            Throws.TypeOf<WeftException>().With.Message.Contains("attention heads of 264").And.Message.Contains("even sizes up to 256"));
        using var wide = TinyModel.Create(
            Describe(layers: 1, hidden: 60_000, heads: 1, keyValueHeads: 1, headSize: 32, intermediate: 8, vocabulary: 8), DataType.Float16);
        Assert.That(() => Load(wide, DataType.Float16), Throws.TypeOf<WeftException>().With.Message.Contains("rows of 60000 values").And.Message.Contains("--device cpu"));
        using var tiny = TinyModel.Create(Describe(), DataType.Float16);
        Assert.That(() => Load(tiny, DataType.Float32), Throws.TypeOf<WeftException>().With.Message.Contains("bf16 or f16"));
    }

    [Test]
    public void A_weight_beyond_f16_is_named()
    {
        _ = TestDevice.Open();
        using var large = TinyModel.Create(Describe(), DataType.Float32, scale: 1e6);
        Assert.That(() => Load(large, DataType.Float16), Throws.TypeOf<WeftException>()
            .With.Message.Contains("tensor 'embedding.weight' has a weight beyond what f16 can hold").And.Message.Contains("bf16"));
        using var model = Load(large, DataType.BFloat16);
    }

    private static void RequireSimulator()
    {
        if (!TestDevice.IsSimulator)
            Assert.Ignore("faults are injected on the software device only");
    }

    private static ModelDescription Describe(
        int layers = 2, int hidden = 128, int heads = 4, int keyValueHeads = 2, int headSize = 64, int intermediate = 96, int vocabulary = 160,
        int context = 256, bool bias = false, int? window = null, bool tied = false, Activation activation = Activation.Silu) =>
        TinyModel.Describe(layers, hidden, heads, keyValueHeads, headSize, intermediate, vocabulary, context, bias, window, null, tied, activation);

    private static Model Load(TinyModel tiny, DataType? type, int cacheTokens = 0, bool batchInvariant = true, DataType? cache = null, ProductWays? ways = null) => Model.Load(tiny.Path, new ModelOptions
    {
        BatchInvariant = batchInvariant,
        ProductWays = ways,
        Device = new DeviceChoice(TestDevice.IsSimulator ? DeviceKind.Simulator : DeviceKind.Cuda),
        ActivationType = type,
        CacheType = cache,
        CacheTokens = cacheTokens,
    });

    /// <summary>All logits of a prompt, in steps of these sizes.</summary>
    private static float[] Forward(Model model, int[] tokens, int[] steps)
    {
        using var sequence = model.CreateSequence();
        var width = model.Header.Model.VocabularySize;
        var logits = new float[tokens.Length * width];
        var start = 0;
        foreach (var step in steps)
        {
            sequence.Forward(tokens.AsSpan(start, step), LogitRows.All, logits.AsSpan(start * width));
            start += step;
        }

        Assert.That(start, Is.EqualTo(tokens.Length));
        return logits;
    }

    /// <summary>Draws at most <paramref name="limit"/> tokens and takes <paramref name="take"/> of them.</summary>
    private static int[] Draw(Model model, int[] prompt, SamplingOptions options, int limit, int take)
    {
        using var engine = new Engine(model);
        using var generation = engine.Start(prompt, new GenerationOptions { MaxTokens = limit, Sampling = options });
        return [.. generation.Outputs.ReadAllAsync().Take(take).Select(output => output.Token).ToBlockingEnumerable()];
    }

    private static int[] DrawOnHost(Model model, int[] prompt, SamplingOptions options, int count)
    {
        using var sequence = model.CreateSequence();
        var sampler = new Sampler(options, model.Header.Model.VocabularySize);
        sampler.Observe(prompt);
        var logits = new float[model.Header.Model.VocabularySize];
        sequence.Forward(prompt, LogitRows.Last, logits);
        var tokens = new List<int>();
        while (true)
        {
            tokens.Add(sampler.Sample(logits));
            if (tokens.Count == count)
                return [.. tokens];
            sequence.Forward([tokens[^1]], LogitRows.Last, logits);
        }
    }

    private static int[] Tokens(TinyModel tiny, int count)
    {
        var random = new Random(11);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(tiny.Description.VocabularySize))];
    }
}

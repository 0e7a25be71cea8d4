using Weft.Backends.Cpu;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Runtime.Tests;

/// <summary>Whole models through the public API: against the plain definition, over widths, caches, chunks and shapes.</summary>
[TestFixture]
public sealed class ModelTests
{
    private static readonly Dictionary<string, ModelDescription> Shapes = new()
    {
        ["grouped heads"] = TinyModel.Describe(),
        ["multi-head"] = TinyModel.Describe(heads: 4, keyValueHeads: 4),
        ["multi-query"] = TinyModel.Describe(heads: 8, keyValueHeads: 1),
        ["three heads a group"] = TinyModel.Describe(heads: 6, keyValueHeads: 2, hidden: 60),
        ["head of 100"] = TinyModel.Describe(heads: 2, keyValueHeads: 1, headSize: 100, hidden: 72),
        ["head of 34"] = TinyModel.Describe(heads: 2, keyValueHeads: 2, headSize: 34, hidden: 36),
        ["biases"] = TinyModel.Describe(bias: true),
        ["window of 7"] = TinyModel.Describe(window: 7),
        ["window of 70"] = TinyModel.Describe(window: 70),
        ["tied"] = TinyModel.Describe(tied: true),
        ["odd sizes"] = TinyModel.Describe(hidden: 53, intermediate: 111, vocabulary: 101),
        ["gelu"] = TinyModel.Describe(activation: Activation.Gelu),
        ["gelu tanh"] = TinyModel.Describe(activation: Activation.GeluTanh),
        ["relu"] = TinyModel.Describe(activation: Activation.Relu),
        ["yarn"] = TinyModel.Describe(scaling: new RotaryScaling
        {
            Kind = RotaryScalingKind.Yarn, Factor = 4, OriginalContextLength = 64, BetaFast = 32, BetaSlow = 1, AttentionFactor = 1.14,
        }),
    };

    private static IEnumerable<string> ShapeNames => Shapes.Keys.Concat(BlockModels.Names);

    [TestCaseSource(nameof(ShapeNames))]
    public void Logits_match_the_definition(string shape)
    {
        using var tiny = TinyModel.Create(Shapes.GetValueOrDefault(shape) ?? BlockModels.Describe(shape));
        var tokens = Tokens(tiny, 150);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        var isMixture = tiny.Description.Layers.Any(layer => layer.FeedForward?.Experts is not null);
        foreach (var set in Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported))
        {
            foreach (var (cache, tolerance) in new[] { (DataType.Float32, 3e-6), (DataType.Float16, 2e-3), (DataType.BFloat16, 2e-2) })
            {
                var actual = Logits(tiny, tokens, new ModelOptions { Instructions = set, CacheType = cache });
                // A rounded cache turns a near tie between experts over now and then, after which a token's numbers are others.
                var error = isMixture && cache != DataType.Float32
                    ? ErrorMeasure.MedianRowRms(actual, expected, tiny.Description.VocabularySize)
                    : ErrorMeasure.RelativeRms(actual, expected);
                Assert.That(error, Is.LessThan(tolerance), $"{set}, {cache} cache");
            }
        }
    }

    /// <summary>Contexts that say that there is no end are cut to what the memory holds.</summary>
    [TestCase(1)]
    [TestCase(4)]
    public void A_context_without_end_runs(int sequences)
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(context: int.MaxValue));
        using var model = Model.Load(tiny.Path, new() { MaxSequences = sequences });
        Assert.That(model.ContextLength, Is.InRange(1 << 12, 1 << 20));
        using var sequence = model.CreateSequence();
        var (tokens, logits) = (Tokens(tiny, 40), new float[tiny.Description.VocabularySize]);
        sequence.Forward(tokens, LogitRows.Last, logits);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        Assert.That(ErrorMeasure.RelativeRms(logits, expected.AsSpan()[^logits.Length..]), Is.LessThan(2e-3));
    }

    /// <summary>A base that grows with the text sets no end: a cache larger than the context makes that longer.</summary>
    [TestCase(RotaryScalingKind.Dynamic)]
    [TestCase(RotaryScalingKind.DynamicSteps)]
    public void A_base_that_grows_goes_on_beyond_the_context(RotaryScalingKind kind)
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(context: 48, scaling: new() { Kind = kind, Factor = kind == RotaryScalingKind.Dynamic ? 2 : 1, OriginalContextLength = 24 }));
        var tokens = Tokens(tiny, 150);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        Assert.That(ErrorMeasure.RelativeRms(Logits(tiny, tokens, new() { CacheTokens = 160, CacheType = DataType.Float32 }), expected), Is.LessThan(3e-6));
        using var model = Model.Load(tiny.Path);
        Assert.That(model.ContextLength, Is.EqualTo(48));
    }

    [Test]
    public void A_larger_cache_makes_no_other_context_longer()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(context: 48));
        using var model = Model.Load(tiny.Path, new() { CacheTokens = 160 });
        Assert.That(model.ContextLength, Is.EqualTo(48));
    }

    [TestCase(DataType.Float32)]
    [TestCase(DataType.Float16)]
    [TestCase(DataType.BFloat16)]
    public void Every_weight_type_matches_the_definition(DataType type)
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(hidden: 72), type);
        var tokens = Tokens(tiny, 40);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        foreach (var set in Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported))
        {
            var actual = Logits(tiny, tokens, new ModelOptions { Instructions = set, CacheType = DataType.Float32 });
            Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(3e-6), $"{set}");
        }
    }

    /// <summary>Activations are rounded to 8 bits, which turns a near tie between experts over now and then, after which a token's numbers are others.</summary>
    [Test]
    public void Quantized_experts_match_the_definition(
        [Values("experts", "experts in groups by two", "experts without gates")] string shape, [Values(DataType.Int4, DataType.Int8)] DataType codes, [Values] bool permuted)
    {
        using var tiny = CreateQuantized(shape, codes, permuted);
        var tokens = Tokens(tiny, 60);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        foreach (var set in Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported))
        {
            var actual = Logits(tiny, tokens, new ModelOptions { Instructions = set, CacheType = DataType.Float32 });
            Assert.That(ErrorMeasure.MedianRowRms(actual, expected, tiny.Description.VocabularySize), Is.LessThan(2e-2), $"{set}");
        }
    }

    [Test]
    public void Activations_that_are_not_rounded_match_the_definition(
        [Values("experts", "plain relu")] string shape, [Values(DataType.Int4, DataType.Int8)] DataType codes, [Values] bool permuted)
    {
        using var tiny = CreateQuantized(shape, codes, permuted);
        var tokens = Tokens(tiny, 60);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        foreach (var set in Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported))
        {
            var actual = Logits(tiny, tokens, new ModelOptions { Instructions = set, CacheType = DataType.Float32, ActivationType = DataType.Float32 });
            Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(3e-6), $"{set}");
        }
    }

    [Test]
    public void Quantized_experts_give_the_same_bits_however_the_prompt_is_cut([Values(DataType.Int4, DataType.Int8)] DataType codes, [Values(1, 2, 3)] int threads)
    {
        using var tiny = CreateQuantized("experts", codes, permuted: false);
        var tokens = Tokens(tiny, 60);
        var whole = Logits(tiny, tokens, new ModelOptions { Threads = 2 });
        Assert.That(Logits(tiny, tokens, new ModelOptions { Threads = threads, MaxTokensPerStep = 1 }), Is.EqualTo(whole));
        Assert.That(Logits(tiny, tokens, new ModelOptions { Threads = threads, MaxTokensPerStep = 7 }), Is.EqualTo(whole));
    }

    /// <summary>What stands beside codes of 4 bits in one product of the graph.</summary>
    private static readonly Dictionary<string, (DataType Type, Quantization? Quantization)> Unlike = new()
    {
        ["bf16"] = (DataType.BFloat16, null),
        ["f32"] = (DataType.Float32, null),
        ["codes of 8 bits"] = (DataType.Int8, new() { GroupSize = 32 }),
        ["zero points between codes"] = (DataType.Int4, new() { GroupSize = 32, ZeroPoints = true, Fractional = true }),
    };

    private static IEnumerable<string> UnlikeKinds => Unlike.Keys;

    /// <summary>Not rounded, and with activations of 8 bits on some instruction sets, where what a wrong place would give is far beyond.</summary>
    [Test]
    public void Weights_of_unlike_types_match_the_definition(
        [Values("query", "value", "up")] string matrix, [ValueSource(nameof(UnlikeKinds))] string kind, [Values] bool permuted)
    {
        using var tiny = TinyModel.Create(
            TinyModel.Describe(), quantization: new() { GroupSize = 32, ZeroPoints = true, Permuted = permuted }, unlike: name => name.EndsWith($".{matrix}.weight", StringComparison.Ordinal) ? Unlike[kind] : null);
        var tokens = Tokens(tiny, 60);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        foreach (var set in Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported))
        {
            var options = new ModelOptions { Instructions = set, CacheType = DataType.Float32, ActivationType = DataType.Float32 };
            Assert.That(ErrorMeasure.RelativeRms(Logits(tiny, tokens, options), expected), Is.LessThan(3e-6), $"{set}");
            Assert.That(ErrorMeasure.RelativeRms(Logits(tiny, tokens, options with { ActivationType = null }), expected), Is.LessThan(5e-2), $"{set}, rounded");
        }
    }

    [Test]
    public void Experts_may_be_unlike_on_their_way_out([ValueSource(nameof(UnlikeKinds))] string kind)
    {
        using var tiny = CreateExperts("down", kind);
        var tokens = Tokens(tiny, 60);
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        foreach (var set in Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported))
        {
            var options = new ModelOptions { Instructions = set, CacheType = DataType.Float32, ActivationType = DataType.Float32 };
            Assert.That(ErrorMeasure.RelativeRms(Logits(tiny, tokens, options), expected), Is.LessThan(3e-6), $"{set}");
        }
    }

    [Test]
    public void Experts_that_are_unlike_on_their_way_in_are_refused([Values("gate", "up")] string matrix, [Values] bool rounded)
    {
        using var tiny = CreateExperts(matrix, "bf16");
        Assert.That(
            () => Model.Load(tiny.Path, new() { ActivationType = rounded ? null : DataType.Float32 }),
            Throws.TypeOf<WeftException>().With.Message.Contains("which experts cannot be together; convert with --dtype or --quant to make them alike"));
    }

    private static TinyModel CreateExperts(string matrix, string kind) => TinyModel.Create(
        Grouped(BlockModels.Describe("experts")), quantization: new() { GroupSize = 32, ZeroPoints = true },
        unlike: name => name.EndsWith($"feed_forward.{matrix}.weight", StringComparison.Ordinal) ? Unlike[kind] : null);

    /// <summary>A model with groups that divide its columns.</summary>
    private static TinyModel CreateQuantized(string shape, DataType codes, bool permuted)
    {
        return TinyModel.Create(Grouped(BlockModels.Describe(shape)), quantization: new() { GroupSize = 32, ZeroPoints = true, Permuted = permuted }, codes: codes);
    }

    private static ModelDescription Grouped(ModelDescription model) => model with
    {
        Layers = [.. model.Layers.Select(layer => layer with { FeedForward = layer.FeedForward! with { IntermediateSize = 96, Experts = layer.FeedForward.Experts is { } experts ? experts with { SharedSize = null } : null } })],
    };

    [Test]
    public void Logits_have_the_same_bits_however_the_prompt_is_cut([Values(1, 2, 3, 5, 6, 7, 16, 33, 64)] int chunk, [Values(1, 2, 3)] int threads)
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(window: 50));
        var tokens = Tokens(tiny, 140);
        var whole = Logits(tiny, tokens, new ModelOptions { Threads = 2 });
        var parts = Logits(tiny, tokens, new ModelOptions { Threads = threads, MaxTokensPerStep = chunk });
        Assert.That(parts, Is.EqualTo(whole));
    }

    private static IEnumerable<string> BlockNames => BlockModels.Names;

    [TestCaseSource(nameof(BlockNames))]
    public void Every_block_has_the_same_bits_however_the_prompt_is_cut(string shape)
    {
        using var tiny = TinyModel.Create(BlockModels.Describe(shape));
        var tokens = Tokens(tiny, 100);
        var whole = Logits(tiny, tokens, new ModelOptions());
        Assert.That(Logits(tiny, tokens, new ModelOptions { MaxTokensPerStep = 1 }), Is.EqualTo(whole));
        Assert.That(Logits(tiny, tokens, new ModelOptions { MaxTokensPerStep = 7 }), Is.EqualTo(whole));
    }

    [Test]
    public void Decoding_allocates_nothing()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe());
        using var model = Model.Load(tiny.Path);
        using var sequence = model.CreateSequence();
        var logits = new float[tiny.Description.VocabularySize];
        Span<int> token = stackalloc int[1];
        sequence.Forward(token, LogitRows.Last, logits);
        // All threads of the process count, the test runner's too: what a step allocates itself shows in every round.
        var least = long.MaxValue;
        for (var round = 0; round < 5; round++)
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            for (var i = 0; i < 40; i++)
            {
                token[0] = i;
                sequence.Forward(token, LogitRows.Last, logits);
            }

            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        Assert.That(least, Is.Zero);
    }

    [Test]
    public void Sequences_do_not_disturb_each_other()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe());
        using var model = Model.Load(tiny.Path, new ModelOptions { CacheTokens = 256 });
        var v = tiny.Description.VocabularySize;
        var tokens = Tokens(tiny, 60);
        var alone = new float[v];
        using (var sequence = model.CreateSequence())
            sequence.Forward(tokens, LogitRows.Last, alone);

        using var a = model.CreateSequence();
        using var b = model.CreateSequence();
        var logits = new float[v];
        for (var i = 0; i < tokens.Length; i++)
        {
            a.Forward([tokens[i]], LogitRows.Last, logits);
            b.Forward([tokens[^(i + 1)]], LogitRows.None, []);
        }

        Assert.That(logits, Is.EqualTo(alone));
    }

    [Test]
    public void Truncating_and_going_on_equals_never_having_been_there()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe());
        using var model = Model.Load(tiny.Path);
        var tokens = Tokens(tiny, 50);
        var expected = new float[tiny.Description.VocabularySize];
        using var straight = model.CreateSequence();
        straight.Forward(tokens, LogitRows.Last, expected);

        using var detour = model.CreateSequence();
        detour.Forward(tokens.AsSpan(0, 35), LogitRows.None, []);
        detour.Forward([9, 9, 9, 9, 9, 9, 9], LogitRows.None, []);
        detour.Truncate(35);
        var actual = new float[expected.Length];
        detour.Forward(tokens.AsSpan(35), LogitRows.Last, actual);
        Assert.That(actual, Is.EqualTo(expected));
    }

    [Test]
    public void A_full_context_a_full_cache_and_a_bad_token_are_said_in_a_sentence()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(context: 32));
        using var model = Model.Load(tiny.Path);
        using var sequence = model.CreateSequence();
        using var other = model.CreateSequence();
        Assert.Multiple(() =>
        {
            Assert.That(() => sequence.Forward(new int[33], LogitRows.None, []), Throws.TypeOf<WeftException>().With.Message.Contains("33 tokens do not fit the context of 32"));
            Assert.That(() => sequence.Forward([160], LogitRows.None, []), Throws.TypeOf<WeftException>().With.Message.Contains("160"));
            Assert.That(() => sequence.Forward([-1], LogitRows.None, []), Throws.TypeOf<WeftException>());
            Assert.That(() => other.Forward(new int[20], LogitRows.None, []), Throws.Nothing);
            Assert.That(() => sequence.Forward(new int[20], LogitRows.None, []), Throws.TypeOf<WeftException>().With.Message.Contains("cache is full"));
            Assert.That(sequence.Length, Is.Zero, "nothing of the refused step stays");
        });
    }

    [Test]
    public void A_device_that_is_not_there_is_refused()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe());
        var options = new ModelOptions { Device = new DeviceChoice(DeviceKind.Cuda, 99) };
        Assert.That(() => Model.Load(tiny.Path, options), Throws.TypeOf<WeftException>().With.Message.Contains("CUDA"));
    }

    [TestCase("gpu")]
    [TestCase("cuda:")]
    [TestCase("cuda:-1")]
    [TestCase("CPU")]
    [TestCase("")]
    public void A_device_that_does_not_exist_is_not_parsed(string text) => Assert.That(DeviceChoice.TryParse(text, out _), Is.False);

    [TestCase("auto", DeviceKind.Auto, 0)]
    [TestCase("cpu", DeviceKind.Cpu, 0)]
    [TestCase("cuda", DeviceKind.Cuda, 0)]
    [TestCase("cuda:3", DeviceKind.Cuda, 3)]
    [TestCase("sim", DeviceKind.Simulator, 0)]
    public void Devices_are_parsed(string text, DeviceKind kind, int ordinal)
    {
        Assert.That(DeviceChoice.TryParse(text, out var choice), Is.True);
        Assert.That(choice, Is.EqualTo(new DeviceChoice(kind, ordinal)));
    }

    private static float[] Logits(TinyModel tiny, int[] tokens, ModelOptions options)
    {
        using var model = Model.Load(tiny.Path, options);
        using var sequence = model.CreateSequence();
        var logits = new float[tokens.Length * tiny.Description.VocabularySize];
        sequence.Forward(tokens, LogitRows.All, logits);
        return logits;
    }

    private static int[] Tokens(TinyModel tiny, int count)
    {
        var random = new Random(11);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(tiny.Description.VocabularySize))];
    }
}

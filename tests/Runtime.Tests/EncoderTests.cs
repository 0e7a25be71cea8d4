using Weft.Backends.Cpu;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Runtime.Tests;

/// <summary>Models with an encoder, on the CPU: against the plain definition, and served many at a time.</summary>
[TestFixture]
public sealed class EncoderTests
{
    private static IEnumerable<string> Names => EncoderModels.Names;

    [TestCaseSource(nameof(Names))]
    public void Logits_match_the_definition(string name)
    {
        using var tiny = TinyModel.Create(EncoderModels.Describe(name));
        var (source, tokens) = (tiny.Tokens(75, 1), tiny.Tokens(90, 2));
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights) { Source = source }.Logits(tokens);
        var isMixture = tiny.Description.Layers[0].FeedForward!.Experts is not null;
        foreach (var set in Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported))
        {
            foreach (var (cache, tolerance) in new[] { (DataType.Float32, 3e-6), (DataType.Float16, 2e-3), (DataType.BFloat16, 2e-2) })
            {
                var actual = Logits(tiny, source, tokens, new() { Instructions = set, CacheType = cache });
                // A rounded cache turns a near tie between experts over now and then, after which a token's numbers are others.
                var error = isMixture && cache != DataType.Float32
                    ? ErrorMeasure.MedianRowRms(actual, expected, tiny.Description.VocabularySize)
                    : ErrorMeasure.RelativeRms(actual, expected);
                Assert.That(error, Is.LessThan(tolerance), $"{set}, {cache} cache");
            }
        }
    }

    [TestCaseSource(nameof(Names))]
    public void Logits_have_the_same_bits_however_the_tokens_are_cut(string name)
    {
        using var tiny = TinyModel.Create(EncoderModels.Describe(name));
        var (source, tokens) = (tiny.Tokens(41, 1), tiny.Tokens(50, 2));
        var whole = Logits(tiny, source, tokens, new());
        Assert.That(Logits(tiny, source, tokens, new() { MaxTokensPerStep = 1 }), Is.EqualTo(whole));
        Assert.That(Logits(tiny, source, tokens, new() { MaxTokensPerStep = 7, Threads = 1 }), Is.EqualTo(whole));
    }

    [Test]
    public void A_sequence_needs_its_source_first_and_may_begin_again_with_another()
    {
        using var tiny = TinyModel.Create(EncoderModels.Describe("rotary"));
        using var model = Model.Load(tiny.Path);
        using var sequence = model.CreateSequence();
        var logits = new float[tiny.Description.VocabularySize];
        Assert.That(() => sequence.Forward([3], LogitRows.Last, logits), Throws.InvalidOperationException);
        sequence.Encode([7, 8, 9]);
        sequence.Forward([3], LogitRows.Last, logits);
        Assert.That(() => sequence.Encode([1]), Throws.InvalidOperationException);
        float[] first = [.. logits];
        sequence.Truncate(0);
        sequence.Encode([20, 21]);
        sequence.Forward([3], LogitRows.Last, logits);
        Assert.That(logits, Is.Not.EqualTo(first));
        sequence.Truncate(0);
        sequence.Encode([7, 8, 9]);
        sequence.Forward([3], LogitRows.Last, logits);
        Assert.That(logits, Is.EqualTo(first));
        Assert.That(() => sequence.Encode([160]), Throws.InvalidOperationException.Or.TypeOf<WeftException>());
    }

    [Test]
    public void A_generation_has_the_prompt_for_a_source_and_begins_with_the_start_tokens()
    {
        using var tiny = TinyModel.Create(EncoderModels.Describe("another number of layers and heads"));
        int[] source = tiny.Tokens(33, 1);
        using var model = Model.Load(tiny.Path);
        using var engine = new Engine(model);
        var drawn = engine.Start(source, new() { MaxTokens = 12, IgnoreEos = true }).Wait();
        List<int> known = [5, 9];
        var reference = new ReferenceDecoder(tiny.Description, tiny.Weights) { Source = source };
        foreach (var token in drawn)
        {
            var row = reference.Logits([.. known])[^tiny.Description.VocabularySize..];
            Assert.That(row[token], Is.GreaterThan(row.Max() - 1e-2));
            known.Add(token);
        }

        Assert.That(drawn, Has.Count.EqualTo(12));
    }

    [Test]
    public void A_target_prefix_takes_the_place_of_what_follows_the_start()
    {
        using var tiny = TinyModel.Create(EncoderModels.Describe("another number of layers and heads"));
        using var model = Model.Load(tiny.Path);
        using var engine = new Engine(model);
        var (source, options) = (tiny.Tokens(20, 3), new GenerationOptions { MaxTokens = 6, IgnoreEos = true });
        Assert.That(engine.Start(source, options with { TargetPrefix = [9] }).Wait(), Is.EqualTo(engine.Start(source, options).Wait()));
        Assert.That(engine.Start(source, options with { TargetPrefix = [77, 31] }).Wait(), Is.Not.EqualTo(engine.Start(source, options).Wait()));
        Assert.That(() => engine.Start(source, options with { TargetPrefix = [160] }), Throws.TypeOf<OptionException>().With.Message.Contains("target_prefix"));
        using var plain = TinyModel.Create(TinyModel.Describe());
        using var other = new Engine(Model.Load(plain.Path));
        Assert.That(() => other.Start(source, options with { TargetPrefix = [1] }), Throws.TypeOf<OptionException>().With.Message.Contains("encoder"));
    }

    [Test]
    public void What_an_encoder_cannot_give_is_refused()
    {
        using var tiny = TinyModel.Create(EncoderModels.Describe("rotary"));
        using var model = Model.Load(tiny.Path, new() { CacheTokens = 64 });
        using var engine = new Engine(model);
        Assert.That(() => engine.Start([4], new() { PromptLogProbabilities = true, TopLogProbabilities = 0 }), Throws.TypeOf<OptionException>().With.Message.Contains("encoder"));
        Assert.That(async () => await engine.EmbedAsync(new[] { 4 }), Throws.TypeOf<OptionException>().With.Message.Contains("encoder"));
        Assert.That(() => engine.Start(tiny.Tokens(65, 1), new()), Throws.TypeOf<OptionException>().With.Message.Contains("context of 64"));
        // The source fills the context, and the answer has one of its own.
        Assert.That(engine.Start(tiny.Tokens(64, 1), new() { MaxTokens = 100, IgnoreEos = true }).Wait(), Has.Count.EqualTo(63));
    }

    private static float[] Logits(TinyModel tiny, int[] source, int[] tokens, ModelOptions options)
    {
        using var model = Model.Load(tiny.Path, options);
        using var sequence = model.CreateSequence();
        var logits = new float[tokens.Length * tiny.Description.VocabularySize];
        sequence.Encode(source);
        sequence.Forward(tokens, LogitRows.All, logits);
        return logits;
    }
}

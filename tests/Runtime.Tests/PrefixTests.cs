using Weft.Backends.Cpu;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;
using SequencePrefix = Weft.Scheduling.Prefix;

namespace Weft.Runtime.Tests;

/// <summary>Models whose prompts have tokens that see each other: against the plain definition, and through the engine.</summary>
[TestFixture]
public sealed class PrefixTests
{
    private const int End = 7;
    private const int Blank = 8;
    private const int OtherBlank = 9;

    private static readonly PrefixDescription Blanks = new() { EndToken = End, BlankTokens = [Blank, OtherBlank] };

    private static readonly Dictionary<string, Func<ModelDescription, ModelDescription>> Shapes = new()
    {
        ["one position"] = model => model,
        ["no blanks"] = model => model with { Prefix = new() { EndToken = End } },
        ["turned in two"] = model => Turned(model, rotary => rotary with { Spans = true }),
        ["a part turned in two"] = model => Turned(model, rotary => rotary with { Spans = true, Size = 8 }),
        ["rounded frequencies"] = model => Turned(model, rotary => rotary with { Spans = true, HalfFrequencies = true }),
        ["two tables"] = model => Turned(model, _ => null) with { Embedding = new() { Positions = 256, SpanPositions = 257 } },
        ["two tables, narrow"] = model => Turned(model, _ => null) with { Embedding = new() { Width = 40, Positions = 256, SpanPositions = 257 } },
    };

    private static IEnumerable<string> Names => Shapes.Keys;

    // Where the prefix ends and where its blanks are.
    private static readonly (int End, int[] Blanks, int[] OtherBlanks)[] Prompts = [(69, [68], []), (100, [30, 90], [5]), (1, [], []), (0, [], []), (50, [], [12]), (-1, [3], []), (149, [], [])];

    [TestCaseSource(nameof(Names))]
    public void Logits_match_the_definition(string shape)
    {
        using var tiny = TinyModel.Create(Describe(shape));
        var sets = Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported).ToList();
        for (var i = 0; i < Prompts.Length; i++)
        {
            var tokens = Tokens(Prompts[i]);
            var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
            foreach (var set in i == 0 ? sets : sets[^1..])
            {
                foreach (var (cache, tolerance) in new[] { (DataType.Float32, 3e-6), (DataType.Float16, 2e-3) }[..(i == 0 ? 2 : 1)])
                {
                    using var model = Model.Load(tiny.Path, new ModelOptions { Instructions = set, CacheType = cache });
                    using var sequence = model.CreateSequence();
                    var logits = new float[expected.Length];
                    // All of the prefix, then one by one, as generation does.
                    var first = Math.Max(Prompts[i].End, 0) + 1;
                    sequence.Forward(tokens.AsSpan(0, first), LogitRows.All, logits);
                    for (var n = first; n < tokens.Length; n++)
                        sequence.Forward(tokens.AsSpan(n, 1), LogitRows.Last, logits.AsSpan(n * model.Header.Model.VocabularySize));
                    Assert.That(ErrorMeasure.RelativeRms(logits, expected), Is.LessThan(tolerance), $"prompt {i}, {set}, {cache} cache");
                }
            }
        }
    }

    [Test]
    public void A_token_of_the_prefix_sees_what_comes_after_it()
    {
        using var tiny = TinyModel.Create(Describe("one position"));
        var tokens = Tokens(Prompts[0]);
        var before = FirstLogits(tiny, tokens);
        tokens[60]++;
        Assert.That(FirstLogits(tiny, tokens), Is.Not.EqualTo(before));
        before = FirstLogits(tiny, tokens);
        tokens[70]++;
        Assert.That(FirstLogits(tiny, tokens), Is.EqualTo(before));
    }

    /// <summary>Whatever runs beside it, and though a step takes fewer tokens of other models and the cache is so small that sequences give way.</summary>
    [Test]
    public async Task The_engine_draws_what_a_sequence_alone_draws()
    {
        using var tiny = TinyModel.Create(Describe("turned in two"));
        var prompts = Enumerable.Range(20, 10).Select(end => Tokens((3 * end, [end], []))[..((3 * end) + 1)]).ToList();
        var expected = prompts.Select(prompt => Draw(tiny, prompt, 30)).ToList();
        using var model = Model.Load(tiny.Path, new ModelOptions { MaxTokensPerStep = 16, MaxSequences = 4, CacheTokens = 256 });
        using var engine = new Engine(model);
        for (var round = 0; round < 2; round++)
        {
            var generations = prompts.Select(prompt => engine.Start(prompt, new() { MaxTokens = 30, IgnoreEos = true })).ToList();
            for (var i = 0; i < prompts.Count; i++)
            {
                var drawn = new List<int>();
                await foreach (var output in generations[i].Outputs.ReadAllAsync())
                    drawn.Add(output.Token);
                Assert.That(drawn, Is.EqualTo(expected[i]), $"prompt {i}");
                Assert.That(generations[i].CachedTokens, Is.Zero, "no block of a prefix is another's");
                generations[i].Dispose();
            }
        }

        Assert.That(engine.Statistics.Preemptions, Is.Positive);
    }

    [Test]
    public void A_prefix_that_fits_no_step_is_refused_in_a_sentence()
    {
        const int Vocabulary = 250_000;
        using var tiny = TinyModel.Create(TinyModel.Describe(hidden: 8, vocabulary: Vocabulary, tied: true) with { Prefix = Blanks });
        var tokens = Tokens(Prompts[0])[..71];
        using var model = Model.Load(tiny.Path);
        using var sequence = model.CreateSequence();
        Assert.That(() => sequence.Forward(tokens, LogitRows.All, new float[tokens.Length * Vocabulary]), Throws.TypeOf<WeftException>()
            .With.Message.EqualTo("69 tokens of the prompt see each other and are computed in one step, which takes 67"));
        using var engine = new Engine(model);
        Assert.That(() => engine.Start(tokens, new() { PromptLogProbabilities = true, TopLogProbabilities = 0 }), Throws.InstanceOf<WeftException>().With.Message.Contains("69 tokens of the prompt see each other"));
        Assert.That(() => engine.Start(tokens, new() { MaxTokens = 1 }).Dispose(), Throws.Nothing);
    }

    [Test]
    public void A_prefix_is_forgotten_as_a_whole()
    {
        using var tiny = TinyModel.Create(Describe("one position"));
        using var model = Model.Load(tiny.Path);
        using var sequence = model.CreateSequence();
        sequence.Forward(Tokens(Prompts[0]), LogitRows.None, []);
        Assert.That(() => sequence.Truncate(68), Throws.ArgumentException.With.Message.Contains("the first 69 tokens see each other"));
        Assert.That(() => sequence.Truncate(69), Throws.Nothing);
        Assert.That(() => sequence.Truncate(0), Throws.Nothing);
    }

    [Test]
    public void A_description_that_makes_no_sense_is_refused()
    {
        var model = Describe("turned in two");
        Assert.Multiple(() =>
        {
            Assert.That(ModelCheck.FindError(model), Is.Null);
            Assert.That(ModelCheck.FindError(model with { Prefix = null }), Is.EqualTo("positions in a span need a prefix"));
            Assert.That(ModelCheck.FindError(model with { Prefix = Blanks with { EndToken = 160 } }), Does.Contain("must be in the vocabulary"));
            Assert.That(ModelCheck.FindError(model with { Prefix = Blanks with { BlankTokens = [-1] } }), Does.Contain("must be in the vocabulary"));
            Assert.That(ModelCheck.FindError(Turned(model, rotary => rotary with { Size = 6 })), Does.Contain("a whole number of quarters"));
            Assert.That(ModelCheck.FindError(Turned(model, rotary => rotary with { Scaling = new() { Kind = RotaryScalingKind.Linear, Factor = 2 } })), Does.Contain("go with no scaling"));
            Assert.That(ModelCheck.FindError(model with { Embedding = new() { SpanPositions = 256 } }), Does.Contain("a table of 256 span positions is too short"));
            Assert.That(ModelCheck.FindError(TinyModel.Describe(window: 5) with { Prefix = Blanks }), Does.Contain("neither windows nor slopes"));
        });
    }

    [Test]
    public void Positions_are_those_of_the_paper()
    {
        // a b [blank] c <end> d e
        var prefix = SequencePrefix.Find(Blanks, [1, 2, Blank, 3, End, 4, 5]);
        Assert.That(prefix, Is.EqualTo(new SequencePrefix(4, 2)));
        Assert.That(Enumerable.Range(0, 7).Select(prefix.TextPosition), Is.EqualTo(new[] { 0, 1, 2, 3, 2, 2, 2 }));
        Assert.That(Enumerable.Range(0, 7).Select(prefix.SpanPosition), Is.EqualTo(new[] { 0, 0, 0, 0, 1, 2, 3 }));
        Assert.That(SequencePrefix.Find(Blanks, [1, OtherBlank, Blank, End, Blank]), Is.EqualTo(new SequencePrefix(3, 2)), "the first kind that there is");
        Assert.That(SequencePrefix.Find(Blanks, [1, End, Blank]), Is.EqualTo(new SequencePrefix(1, null)), "a blank after the end is none");
        Assert.That(SequencePrefix.Find(Blanks, [1, Blank]), Is.EqualTo(default(SequencePrefix)));
        Assert.That(SequencePrefix.Find(null, [1, End]), Is.EqualTo(default(SequencePrefix)));
    }

    private static ModelDescription Describe(string shape) => Shapes[shape](TinyModel.Describe() with { Prefix = Blanks });

    private static ModelDescription Turned(ModelDescription model, Func<RotaryDescription, RotaryDescription?> change) => model with
    {
        Layers = [.. model.Layers.Select(layer => layer with { Attention = layer.Attention! with { Rotary = change(layer.Attention!.Rotary!) } })],
    };

    private static int[] Tokens((int End, int[] Blanks, int[] OtherBlanks) prompt)
    {
        var random = new Random(11);
        var tokens = Enumerable.Range(0, 150).Select(_ => random.Next(10, 150)).ToArray();
        foreach (var place in prompt.Blanks)
            tokens[place] = Blank;
        foreach (var place in prompt.OtherBlanks)
            tokens[place] = OtherBlank;
        if (prompt.End >= 0)
            tokens[prompt.End] = End;
        return tokens;
    }

    private static float[] FirstLogits(TinyModel tiny, int[] tokens)
    {
        using var model = Model.Load(tiny.Path);
        using var sequence = model.CreateSequence();
        var logits = new float[tokens.Length * tiny.Description.VocabularySize];
        sequence.Forward(tokens, LogitRows.All, logits);
        return logits[..tiny.Description.VocabularySize];
    }

    private static List<int> Draw(TinyModel tiny, int[] prompt, int count)
    {
        using var model = Model.Load(tiny.Path);
        using var sequence = model.CreateSequence();
        var logits = new float[tiny.Description.VocabularySize];
        var drawn = new List<int>();
        sequence.Forward(prompt, LogitRows.Last, logits);
        for (; drawn.Count < count; sequence.Forward([drawn[^1]], LogitRows.Last, logits))
            drawn.Add(Array.IndexOf(logits, logits.Max()));
        return drawn;
    }
}

using Weft.Models;
using Weft.Reference;
using Weft.Sampling;
using Weft.Tensors;

namespace Weft.Runtime.Tests.Serving;

/// <summary>A model with virtual tokens of its own: they stand before every text, and nobody who asks for text counts them.</summary>
[TestFixture]
public sealed class VirtualTokenTests
{
    private const int Vocabulary = 160;

    [Test]
    public void Generations_match_the_definition_whatever_runs_beside_them([Values("virtual tokens", "virtual tokens, static decay", "virtual keys")] string blocks)
    {
        using var tiny = TinyModel.Create(BlockModels.Describe(blocks));
        using var model = Load(tiny);
        using var engine = new Engine(model);
        var random = new Random(1);
        var prompts = Enumerable.Range(0, 12).Select(_ => Enumerable.Range(0, random.Next(1, 60)).Select(_ => random.Next(Vocabulary)).ToArray()).ToList();
        var generations = prompts.ConvertAll(prompt => engine.Start(prompt, new() { MaxTokens = 10 + (prompt.Length % 20), IgnoreEos = true }));
        foreach (var (prompt, generation) in prompts.Zip(generations))
        {
            Assert.That(generation.Wait(), Is.EqualTo(Greedy(tiny, prompt, 10 + (prompt.Length % 20), (_, _) => { })));
            Assert.That(generation.PromptTokens, Is.EqualTo(prompt.Length));
            Assert.That(generation.CachedTokens, Is.InRange(0, prompt.Length - 1));
        }

        Assert.That(() => engine.Statistics is { Running: 0, Waiting: 0, UsedBlocks: 0 }, Is.True.After(2000, 1));
    }

    [Test]
    public void What_was_found_in_the_cache_is_of_the_prompt()
    {
        using var tiny = TinyModel.Create(BlockModels.Describe("virtual keys"));
        using var model = Load(tiny);
        using var engine = new Engine(model);
        int[] prompt = [.. Enumerable.Range(0, 40)];
        engine.Start(prompt, new() { MaxTokens = 1 }).Wait();
        using var second = engine.Start(prompt, new() { MaxTokens = 1 });
        second.Wait();
        // 20 virtual tokens and 40: three whole blocks before the last token.
        Assert.That(second.CachedTokens, Is.EqualTo(48 - 20));
        Assert.That((engine.Statistics.PrefixQueries, engine.Statistics.PrefixHits), Is.EqualTo((80L, 28L)));
    }

    [Test]
    public void Penalties_do_not_count_them()
    {
        using var tiny = TinyModel.Create(BlockModels.Describe("virtual tokens"));
        using var model = Load(tiny);
        using var engine = new Engine(model);
        int[] prompt = [5, 9, 17];
        using var generation = engine.Start(prompt, new() { MaxTokens = 40, IgnoreEos = true, Sampling = new() { RepetitionPenalty = 3 } });
        Assert.That(generation.Wait(), Is.EqualTo(Greedy(tiny, prompt, 40, (logits, tokens) =>
        {
            foreach (var token in tokens.Distinct())
                logits[token] = logits[token] > 0 ? logits[token] / 3 : logits[token] * 3;
        })));
    }

    [Test]
    public async Task Scores_and_embeddings_are_of_the_text_alone([Values] Pooling pooling)
    {
        using var tiny = TinyModel.Create(BlockModels.Describe("virtual keys"));
        using var model = Load(tiny);
        using var engine = new Engine(model);
        int[] text = [.. Enumerable.Range(30, 50)];
        var reference = new ReferenceDecoder(tiny.Description, tiny.Weights);
        Assert.That(
            ErrorMeasure.RelativeRms(await engine.EmbedAsync(text, pooling), ReferenceEmbedding.Pool(reference.Hidden(text), tiny.Description.HiddenSize, pooling)), Is.LessThan(3e-6));

        using var generation = engine.Start(text, new() { MaxTokens = 1, TopLogProbabilities = 1, PromptLogProbabilities = true });
        generation.Wait();
        var logits = reference.Logits(text);
        Assert.That(generation.PromptLogProbabilities.Select(score => score.Chosen.Token), Is.EqualTo(text[1..]));
        for (var i = 0; i + 1 < text.Length; i++)
        {
            var row = logits[(i * Vocabulary)..((i + 1) * Vocabulary)];
            var expected = row[text[i + 1]] - Math.Log(row.Sum(Math.Exp));
            Assert.That(generation.PromptLogProbabilities[i].Chosen.Value, Is.EqualTo(expected).Within(1e-4));
        }
    }

    [Test]
    public void They_take_part_of_the_context()
    {
        using var tiny = TinyModel.Create(BlockModels.Describe("virtual keys"));
        using var model = Load(tiny);
        Assert.That(model.ContextLength, Is.EqualTo(tiny.Description.ContextLength - 20));
        using (var sequence = model.CreateSequence())
        {
            sequence.Forward(new int[model.ContextLength], LogitRows.None, []);
            Assert.That(sequence.Length, Is.EqualTo(model.ContextLength));
            Assert.That(() => sequence.Forward([1], LogitRows.None, []), Throws.TypeOf<WeftException>());
        }

        using (var engine = new Engine(model))
        {
            Assert.That(() => engine.Start(new int[model.ContextLength], new()), Throws.TypeOf<OptionException>());
            using var last = engine.Start(new int[model.ContextLength - 1], new() { MaxTokens = 100, IgnoreEos = true });
            Assert.That(last.Wait(), Has.Count.EqualTo(1));
        }

        Assert.That(() => Model.Load(tiny.Path, new() { CacheTokens = 20 }), Throws.TypeOf<WeftException>().With.Message.Contains("20 virtual tokens"));
    }

    [Test]
    public void A_sequence_goes_back_to_its_text([Values("virtual tokens", "virtual keys")] string blocks)
    {
        using var tiny = TinyModel.Create(BlockModels.Describe(blocks));
        using var model = Load(tiny);
        using var sequence = model.CreateSequence();
        var (first, again) = (new float[Vocabulary], new float[Vocabulary]);
        sequence.Forward([1, 2, 3, 4], LogitRows.Last, first);
        sequence.Truncate(2);
        Assert.That(sequence.Length, Is.EqualTo(2));
        sequence.Forward([3, 4], LogitRows.Last, again);
        Assert.That(again, Is.EqualTo(first));
        sequence.Truncate(0);
        Assert.That(sequence.Length, Is.Zero);
        sequence.Forward([1, 2, 3, 4], LogitRows.Last, again);
        Assert.That(again, Is.EqualTo(first));
    }

    [Test]
    public void A_text_that_was_cancelled_leaves_nothing_behind()
    {
        using var tiny = TinyModel.Create(BlockModels.Describe("virtual tokens"));
        using var model = Load(tiny);
        using var sequence = model.CreateSequence();
        var (first, again) = (new float[Vocabulary], new float[Vocabulary]);
        Assert.That(() => sequence.Forward([1, 2], LogitRows.Last, first, new CancellationToken(true)), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(sequence.Length, Is.Zero);
        sequence.Forward([1, 2], LogitRows.Last, first);
        using var other = model.CreateSequence();
        other.Forward([1, 2], LogitRows.Last, again);
        Assert.That(again, Is.EqualTo(first));
        Assert.That(() => sequence.Truncate(-1), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    private static Model Load(TinyModel tiny) => Model.Load(tiny.Path, new() { MaxSequences = 6, CacheTokens = 400, MaxTokensPerStep = 64, CacheType = DataType.Float32 });

    private static List<int> Greedy(TinyModel tiny, int[] prompt, int count, Action<double[], IReadOnlyList<int>> change)
    {
        var tokens = prompt.ToList();
        while (tokens.Count < prompt.Length + count)
        {
            var logits = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits([.. tokens])[^Vocabulary..];
            change(logits, tokens);
            tokens.Add(Array.IndexOf(logits, logits.Max()));
        }

        return tokens[prompt.Length..];
    }
}

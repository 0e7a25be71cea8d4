using Weft.Kernels.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests.Backend;

/// <summary>The engine over a CUDA device: steps ahead of the host, captured graphs, sequences that come, go and give way.</summary>
[TestFixture]
public sealed class CudaEngineTests
{
    [Test]
    public void Requests_come_and_go_and_leave_nothing_behind()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(TinyModel.Describe(headSize: 32, hidden: 64, vocabulary: 160), DataType.BFloat16);
        using var model = Load(tiny, 144);
        using var engine = new Engine(model);
        var random = new Random(4);
        var generations = new List<(Generation Generation, int Count)>();
        for (var i = 0; i < 12; i++)
        {
            var count = random.Next(30, 90);
            int[] prompt = [.. Enumerable.Range(0, random.Next(1, 20)).Select(_ => random.Next(160))];
            generations.Add((engine.Start(prompt, new() { MaxTokens = count, IgnoreEos = true, TopLogProbabilities = i % 5 == 0 ? 1 : null }), count));
            var other = engine.Start(prompt, new() { MaxTokens = 90, IgnoreEos = true });
            Thread.Sleep(random.Next(20));
            other.Cancel();
        }

        foreach (var (generation, count) in generations)
            Assert.That(generation.Wait(), Has.Count.EqualTo(count));
        Assert.That(engine.Statistics.Preemptions, Is.Positive);
        Assert.That(() => engine.Statistics is { Running: 0, Waiting: 0, UsedBlocks: 0 }, Is.True.After(5000, 5));
    }

    [Test]
    public void Tokens_do_not_depend_on_what_else_runs([Values] bool isQuantized)
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(
            TinyModel.Describe(headSize: 32, hidden: 64, vocabulary: 160), DataType.BFloat16, quantization: isQuantized ? new() { GroupSize = 32, ZeroPoints = true } : null);
        using var model = Load(tiny, 176);
        using var engine = new Engine(model);
        var requests = RandomLoad.Run(engine, 160, 80, 14, 6);
        Assert.That(requests.Select(request => request.Together), Is.EqualTo(requests.Select(request => request.Alone)));
        Assert.That(engine.Statistics.Preemptions, Is.Positive);
    }

    /// <summary>States come and go with sequences, also with a step ahead of the host, and snapshots of them are found.</summary>
    [TestCase("averages")]
    [TestCase("delta rule")]
    [TestCase("dual state space")]
    public void Tokens_of_recurrent_models_do_not_depend_on_what_else_runs(string name)
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(BlockModels.Describe(name), DataType.BFloat16);
        using var model = Load(tiny, 176);
        using var engine = new Engine(model);
        var requests = RandomLoad.Run(engine, 160, 80, 10, 6);
        Assert.That(requests.Select(request => request.Together), Is.EqualTo(requests.Select(request => request.Alone)));
        Assert.That(engine.Statistics.Preemptions, Is.Positive);
        Assert.That(engine.Statistics.PrefixHits, Is.Positive);
    }

    /// <summary>With a step ahead of the host, whose token has to be known before its keys can be turned another way.</summary>
    [Test]
    public void A_text_that_grows_beyond_the_original_context_is_computed_anew()
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(BlockModels.Describe("frequencies of long texts", headSize: 32), DataType.Float16);
        using var model = Load(tiny, 400);
        using var engine = new Engine(model);
        Assert.That(GreedyLoss.Worst(engine, tiny, tiny.Tokens(20, seed: 3), 20), Is.LessThan(0.02));
        Assert.That(engine.Statistics.Preemptions, Is.EqualTo(1));
    }

    /// <summary>A single token of it is no token that was drawn, whose steps do not look for virtual ones.</summary>
    [Test]
    public void A_learned_prompt_is_one_however_it_is_cut([Values("virtual tokens", "virtual keys")] string name, [Values] bool batchInvariant, [Values(1, 64)] int step)
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(BlockModels.Describe(name, headSize: 32), DataType.Float16);
        using var model = Model.Load(tiny.Path, Options(400) with { BatchInvariant = batchInvariant, MaxTokensPerStep = step, MaxSequences = Math.Min(step, 6) });
        using var engine = new Engine(model);
        Assert.That(GreedyLoss.Worst(engine, tiny, tiny.Tokens(9, seed: 3), 12), Is.LessThan(0.02));
    }

    [Test]
    public async Task Embeddings_match_the_definition([Values] Pooling pooling)
    {
        _ = TestDevice.Open();
        using var tiny = TinyModel.Create(TinyModel.Describe(headSize: 32, hidden: 64), DataType.Float16);
        using var model = Load(tiny, 400);
        using var engine = new Engine(model);
        var random = new Random(5);
        var beside = engine.Start([1, 2, 3], new() { MaxTokens = 60, IgnoreEos = true });
        foreach (var length in (int[])[1, 16, 90])
        {
            int[] text = [.. Enumerable.Range(0, length).Select(_ => random.Next(160))];
            var hidden = new ReferenceDecoder(tiny.Description, tiny.Weights).Hidden(text);
            var embedding = await engine.EmbedAsync(text, pooling);
            Assert.That(ErrorMeasure.RelativeRms(embedding, ReferenceEmbedding.Pool(hidden, 64, pooling)), Is.LessThan(2e-2), $"{length} tokens");
        }

        Assert.That(beside.Wait(), Has.Count.EqualTo(60));
    }

    private static Model Load(TinyModel tiny, int cacheTokens) => Model.Load(tiny.Path, Options(cacheTokens));

    private static ModelOptions Options(int cacheTokens) => new()
    {
        Device = new DeviceChoice(TestDevice.IsSimulator ? DeviceKind.Simulator : DeviceKind.Cuda),
        MaxSequences = 6,
        CacheTokens = cacheTokens,
        MaxTokensPerStep = 64,
    };
}

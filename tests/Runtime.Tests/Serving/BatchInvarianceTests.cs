using Weft.Reference;
using Weft.Tensors;

namespace Weft.Runtime.Tests.Serving;

/// <summary>What a request draws does not depend on what else runs: whole models on the processor under random load.</summary>
[TestFixture]
public sealed class BatchInvarianceTests
{
    /// <summary>Keys that depend on a prompt's length must not be found for one of another length.</summary>
    [Test]
    public void Blocks_with_their_own_way_of_keys_draw_the_same_under_load([Values("dynamic base", "dynamic base in steps", "frequencies of long texts", "latent attention")] string block)
    {
        using var tiny = TinyModel.Create(BlockModels.Describe(block));
        using var model = Model.Load(tiny.Path, new() { MaxSequences = 8, CacheTokens = 600, MaxTokensPerStep = 64, Threads = 2 });
        using var engine = new Engine(model, new() { StepTime = TimeSpan.FromMilliseconds(1) });
        foreach (var (alone, together) in RandomLoad.Run(engine, tiny.Description.VocabularySize, 200, 30, 5))
            Assert.That(together, Is.EqualTo(alone));
        Assert.That(engine.Statistics.PrefixHits, Is.Positive);
    }

    /// <summary>The original context ends after 30 tokens: from there on all tokens turn another way, which the published implementation computes them anew for.</summary>
    [TestCase(20, 25)]
    [TestCase(30, 5)]
    [TestCase(31, 5)]
    public void A_text_that_grows_beyond_the_original_context_is_computed_anew(int prompt, int count)
    {
        using var tiny = TinyModel.Create(BlockModels.Describe("frequencies of long texts"), DataType.Float32);
        using var model = Model.Load(tiny.Path, new() { CacheType = DataType.Float32 });
        using var engine = new Engine(model);
        Assert.That(GreedyLoss.Worst(engine, tiny, tiny.Tokens(prompt, seed: 3), count), Is.LessThan(1e-4));
        Assert.That(engine.Statistics.Preemptions, Is.EqualTo(prompt > 30 ? 0 : 1));
    }

    [Test]
    public void A_request_draws_the_same_whatever_runs_beside_it([Values(1, 2)] int seed, [Values(DataType.BFloat16, DataType.Float16)] DataType type)
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(vocabulary: 500, window: seed == 2 ? 40 : null), type);
        DrawsTheSame(tiny, seed);
    }

    /// <summary>Among them chunks of prompts that go on from a state, sequences that lose theirs, and others that start from a snapshot.</summary>
    [TestCase("averages")]
    [TestCase("dynamic decay")]
    [TestCase("delta rule")]
    [TestCase("selective state space")]
    [TestCase("dual state space")]
    [TestCase("time mixing beside attention")]
    public void A_request_of_a_recurrent_model_draws_the_same_whatever_runs_beside_it(string name)
    {
        using var tiny = TinyModel.Create(BlockModels.Describe(name) with { VocabularySize = 500 });
        DrawsTheSame(tiny, 1);
    }

    /// <summary>Among them sequences that gave way and have their source encoded again.</summary>
    [TestCase("bias by distance")]
    [TestCase("experts")]
    public void A_request_with_a_source_draws_the_same_whatever_runs_beside_it(string name)
    {
        using var tiny = TinyModel.Create(EncoderModels.Describe(name) with { VocabularySize = 500 });
        DrawsTheSame(tiny, 1, sharesPrefixes: false);
    }

    private static void DrawsTheSame(TinyModel tiny, int seed, bool sharesPrefixes = true)
    {
        using var model = Model.Load(tiny.Path, new() { MaxSequences = 12, CacheTokens = 600, MaxTokensPerStep = 64, Threads = 2 });
        using var engine = new Engine(model, new() { StepTime = TimeSpan.FromMilliseconds(1) });
        // On a busy machine requests may come slower than they end, and none gives way; the next round's load is another.
        for (var round = 0; round < 10 && (round == 0 || engine.Statistics.Preemptions == 0); round++)
        {
            foreach (var (alone, together) in RandomLoad.Run(engine, 500, 200, 60, seed + (10 * round)))
                Assert.That(together, Is.EqualTo(alone));
        }

        Assert.That(engine.Statistics.Preemptions, Is.Positive);
        Assert.That(engine.Statistics.PrefixHits, sharesPrefixes ? Is.Positive : Is.Zero);
        Assert.That(() => engine.Statistics is { Running: 0, Waiting: 0, UsedBlocks: 0 }, Is.True.After(2000, 1));
    }
}

using Weft.Reference;
using Weft.Tensors;

namespace Weft.Runtime.Tests.Serving;

/// <summary>Embeddings against their definition, beside generations and with a cache that is too small for all.</summary>
[TestFixture]
public sealed class EmbeddingTests
{
    [Test]
    public async Task Embeddings_match_the_definition_whatever_runs_beside_them([Values] Pooling pooling)
    {
        using var tiny = TinyModel.Create(TinyModel.Describe());
        using var model = Model.Load(tiny.Path, new() { MaxSequences = 6, CacheTokens = 400, MaxTokensPerStep = 64, CacheType = DataType.Float32 });
        using var engine = new Engine(model);
        var random = new Random(2);
        var texts = Enumerable.Range(0, 20).Select(i => Enumerable.Range(0, i == 7 ? 256 : random.Next(1, 120)).Select(_ => random.Next(160)).ToArray()).ToList();
        var others = texts.ConvertAll(text => engine.Start(text.AsSpan(0, text.Length / 2 + 1), new() { MaxTokens = 40 }));
        var embeddings = texts.ConvertAll(text => engine.EmbedAsync(text, pooling));
        for (var i = 0; i < texts.Count; i++)
        {
            var hidden = new ReferenceDecoder(tiny.Description, tiny.Weights).Hidden(texts[i]);
            Assert.That(ErrorMeasure.RelativeRms(await embeddings[i], ReferenceEmbedding.Pool(hidden, tiny.Description.HiddenSize, pooling)), Is.LessThan(3e-6), $"{i}");
        }

        others.ForEach(other => other.Wait());
        Assert.That(() => engine.Statistics is { Running: 0, Waiting: 0, UsedBlocks: 0 }, Is.True.After(2000, 1));
    }

    [Test]
    public void A_text_that_is_empty_or_too_long_is_refused_and_a_cancelled_one_ends()
    {
        using var engine = new Engine(new StubProgram().ForEngine(60, 320));
        Assert.That(() => engine.EmbedAsync(Array.Empty<int>()), Throws.TypeOf<OptionException>());
        Assert.That(() => engine.EmbedAsync(new int[321]), Throws.TypeOf<OptionException>().With.Property("Option").EqualTo("input"));
        Assert.That(() => engine.EmbedAsync(new int[32], cancellationToken: new CancellationToken(true)), Throws.InstanceOf<OperationCanceledException>());
    }
}

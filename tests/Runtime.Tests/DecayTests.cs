using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Runtime.Tests;

/// <summary>Products that decay over a context so long that the factors of queries and keys span ninety powers of two.</summary>
[TestFixture]
public sealed class DecayTests
{
    private const int Context = 2000;

    [TestCase(null, 1e-5)]
    [TestCase(DataType.BFloat16, 2e-2)]
    public void Logits_match_the_definition_from_end_to_end(DataType? cache, double tolerance)
    {
        using var tiny = TinyModel.Create(Describe());
        var random = new Random(2);
        var tokens = Enumerable.Range(0, 1800).Select(_ => random.Next(tiny.Description.VocabularySize)).ToArray();
        var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
        using var model = Model.Load(tiny.Path, new ModelOptions { CacheType = cache });
        Assert.That(model.CacheType, Is.EqualTo(cache ?? DataType.Float32));
        using var sequence = model.CreateSequence();
        var logits = new float[expected.Length];
        sequence.Forward(tokens, LogitRows.All, logits);
        Assert.That(ErrorMeasure.RelativeRms(logits, expected), Is.LessThan(tolerance));
    }

    [Test]
    public void A_cache_without_room_is_refused()
    {
        using var tiny = TinyModel.Create(Describe());
        Assert.That(() => Model.Load(tiny.Path, new ModelOptions { CacheType = DataType.Float16 }), Throws.TypeOf<WeftException>().With.Message.Contains("more powers of two than f16 has"));
    }

    private static ModelDescription Describe()
    {
        var model = TinyModel.Describe(context: Context, layers: 1, keyValueHeads: 1);
        return model with
        {
            Layers = [.. model.Layers.Select(layer => layer with
            {
                Attention = layer.Attention! with { Rotary = layer.Attention!.Rotary! with { Decay = new() { Base = 40, Origin = Context / 2 } } },
            })],
        };
    }
}

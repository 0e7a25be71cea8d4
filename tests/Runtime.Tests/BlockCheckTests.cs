using Weft.Models;
using Weft.Reference;

namespace Weft.Runtime.Tests;

/// <summary>Descriptions of latent attention, of growing bases, of products that decay, of norms and of virtual tokens that make no sense are refused with a clause that says why.</summary>
[TestFixture]
public sealed class BlockCheckTests
{
    private static readonly Dictionary<string, (Func<AttentionDescription, AttentionDescription> Change, string Reason)> Latent = new()
    {
        ["two keys"] = (a => a with { KeyValueHeads = 2 }, "one key/value head, not 2"),
        ["a vector wider than the head"] = (a => a with { Latent = a.Latent! with { Rank = 40 } }, "latent vector of 40"),
        ["nothing that turns"] = (a => a with { Rotary = null }, "elements turn"),
        ["all that turns"] = (a => a with { Rotary = a.Rotary! with { Size = null } }, "elements turn"),
        ["no values"] = (a => a with { Latent = a.Latent! with { ValueSize = 0 } }, "must be positive"),
        ["queries of nothing"] = (a => a with { Latent = a.Latent! with { QueryRank = 0 } }, "must be positive"),
        ["normed heads"] = (a => a with { QueryKeyNorm = new() { Norm = a.Latent!.Norm } }, "neither norms nor clamps"),
        ["an endless epsilon"] = (a => a with { Latent = a.Latent! with { Norm = a.Latent!.Norm with { Epsilon = float.NaN } } }, "epsilon"),
        ["a logarithm of nothing"] = (a => a with { LogScaleFrom = 1 }, "below 2"),
    };

    private static readonly Dictionary<string, (RotaryScaling Scaling, string Reason)> Scalings = new()
    {
        ["no original length"] = (new() { Kind = RotaryScalingKind.Dynamic, Factor = 2 }, "original context length"),
        ["a base that shrinks"] = (new() { Kind = RotaryScalingKind.Dynamic, Factor = 0.5, OriginalContextLength = 8 }, "below 1"),
        ["steps from nowhere"] = (new() { Kind = RotaryScalingKind.DynamicSteps, Factor = 1 }, "original context length"),
    };

    private static readonly Dictionary<string, (Func<AttentionDescription, AttentionDescription> Change, string Reason)> Decays = new()
    {
        ["no base"] = (a => a with { Rotary = a.Rotary! with { Decay = a.Rotary!.Decay! with { Base = 0 } } }, "must be positive"),
        ["an endless base"] = (a => a with { Rotary = a.Rotary! with { Decay = a.Rotary!.Decay! with { Base = double.PositiveInfinity } } }, "must be positive"),
        ["too small a base"] = (a => a with { Rotary = a.Rotary! with { Decay = a.Rotary!.Decay! with { Base = 3 } } }, "leave the range of float32"),
        ["too far an origin"] = (a => a with { Rotary = a.Rotary! with { Decay = a.Rotary!.Decay! with { Origin = int.MinValue } } }, "leave the range of float32"),
    };

    private static IEnumerable<string> DecayNames => Decays.Keys;

    private static IEnumerable<string> LatentNames => Latent.Keys;

    private static IEnumerable<string> ScalingNames => Scalings.Keys;

    [TestCaseSource(nameof(LatentNames))]
    public void Latent_attention_is_refused_with(string name) => Check("latent attention", Latent[name].Change, Latent[name].Reason);

    [TestCaseSource(nameof(ScalingNames))]
    public void A_growing_base_is_refused_with(string name) =>
        Check("dynamic base", attention => attention with { Rotary = attention.Rotary! with { Scaling = Scalings[name].Scaling } }, Scalings[name].Reason);

    [TestCaseSource(nameof(DecayNames))]
    public void Products_that_decay_are_refused_with(string name) => Check("products that decay", Decays[name].Change, Decays[name].Reason);

    [TestCase("virtual tokens", 0, "the number of virtual tokens must be positive")]
    [TestCase("virtual tokens", 256, "256 virtual tokens leave no room for a text in a context of 256")]
    [TestCase("latent attention", 5, "a cache of keys and values in every layer")]
    [TestCase("static decay", 5, "a cache of keys and values in every layer")]
    public void Virtual_tokens_that_go_with_no_model_are_refused(string blocks, int count, string reason) =>
        Assert.That(ModelCheck.FindError(BlockModels.Describe(blocks) with { VirtualTokens = new() { Count = count, Keys = true } }), Does.Contain(reason));

    [Test]
    public void Virtual_tokens_go_with_no_prefix() =>
        Assert.That(ModelCheck.FindError(BlockModels.Describe("virtual tokens") with { Prefix = new() { EndToken = 1 } }), Does.Contain("neither a prefix nor an encoder"));

    [Test]
    public void Products_that_decay_have_one_distance()
    {
        var model = BlockModels.Describe("products that decay") with { Prefix = new() { EndToken = 1 } };
        Assert.That(ModelCheck.FindError(model), Is.Null);
        var changed = model with { Layers = [.. model.Layers.Select(layer => layer with { Attention = layer.Attention! with { Rotary = layer.Attention!.Rotary! with { Spans = true } } })] };
        Assert.That(ModelCheck.FindError(changed), Does.Contain("by positions in a span"));
    }

    [Test]
    public void Norms_that_fit_no_block_are_refused()
    {
        Check("norm across heads", attention => attention with { QueryKeyNorm = attention.QueryKeyNorm! with { AfterTurning = true } }, "each head by itself");
        var parallel = BlockModels.Describe("parallel, one norm");
        Assert.That(ModelCheck.FindError(parallel with { Layers = [.. parallel.Layers.Select(layer => layer with { NormedResidual = true })] }), Does.Contain("parallel branches are added to x"));
        var dual = BlockModels.Describe("dual state space");
        var normed = dual with { Layers = [.. dual.Layers.Select(layer => layer with { StateSpace = layer.StateSpace! with { InputNorm = layer.StateSpace.Norm } })] };
        Assert.That(ModelCheck.FindError(normed), Does.Contain("neither they nor B and C have a norm"));
    }

    private static void Check(string block, Func<AttentionDescription, AttentionDescription> change, string reason)
    {
        var model = BlockModels.Describe(block);
        Assert.That(ModelCheck.FindError(model), Is.Null);
        var changed = model with { Layers = [.. model.Layers.Select(layer => layer with { Attention = change(layer.Attention!) })] };
        Assert.That(ModelCheck.FindError(changed), Does.Contain(reason));
    }
}

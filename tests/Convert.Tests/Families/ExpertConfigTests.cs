using Weft.Convert.Tests.Support;
using Weft.Models;

namespace Weft.Convert.Tests.Families;

/// <summary>Configs of mixtures of experts that no reference checkpoint has, and descriptions of experts that make no sense.</summary>
[TestFixture]
public sealed class ExpertConfigTests
{
    private static readonly (Func<FeedForwardDescription, FeedForwardDescription> Change, string Reason)[] Wrong =
    [
        (block => With(block, experts => experts with { Active = 9 }), "cannot go through 9 of 8"),
        (block => With(block, experts => experts with { Active = 0 }), "cannot go through 0 of 8"),
        (block => With(block, experts => experts with { Groups = new() { Count = 3, Active = 1, Leading = 1 } }), "cannot be in 3 even groups"),
        (block => With(block, experts => experts with { Groups = new() { Count = 4, Active = 5, Leading = 1 } }), "chosen from 5 of 4 groups"),
        (block => With(block, experts => experts with { Active = 3, Groups = new() { Count = 8, Active = 2, Leading = 1 } }), "chosen from 2 of 8 groups"),
        (block => With(block, experts => experts with { Groups = new() { Count = 4, Active = 2, Leading = 3 } }), "3 scores cannot speak for a group of 2"),
        (block => With(block, experts => experts with { Margin = -0.1f, Normalized = false }), "margin must not be negative"),
        (block => With(block, experts => experts with { Margin = 0.1f, Normalized = true }), "softmax that is not normalized"),
        (block => With(block, experts => experts with { Scale = float.NaN }), "scale must be finite"),
        (block => With(block, experts => experts with { SharedSwitch = true }), "shared expert's size"),
        (block => block with { Limit = -1 }, "limit must be positive"),
        (block => block with { Limit = 7, Experts = null }, "gates of experts"),
        (block => block with { Limit = 7, Plain = true }, "gates of experts"),
    ];

    [TestCase("{\"num_key_value_heads\":2}", 7f, 4, false)]
    [TestCase("{\"num_key_value_heads\":2,\"swiglu_limit\":3.5,\"experts_per_token\":2}", 3.5f, 2, false)]
    [TestCase("{\"num_key_value_heads\":2,\"num_experts_per_tok\":3,\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":32,\"original_max_position_embeddings\":4096,\"truncate\":false}}", 7f, 3, true)]
    public void Gpt_oss_is_described(string members, float limit, int active, bool unrounded)
    {
        var model = ConfigText.Describe("GptOssForCausalLM", members);
        Assert.That(ModelCheck.FindError(model), Is.Null);
        Assert.That(model.Layers.Select(layer => layer.Attention!.Window), Is.EqualTo(new int?[] { 128, null }));
        Assert.That(model.Layers.Select(layer => (layer.FeedForward!.Limit, layer.FeedForward!.Bias, layer.FeedForward!.Activation, layer.Attention!.Sinks)),
            Is.All.EqualTo(((float?)limit, true, Activation.QuickGelu, true)));
        Assert.That(model.Layers[0].FeedForward!.Experts, Is.EqualTo(new ExpertsDescription { Count = 128, Active = active, RouterBias = true, Normalized = true }));
        Assert.That(model.Layers[0].Attention!.Rotary!.Scaling?.Unrounded ?? false, Is.EqualTo(unrounded));
    }

    [Test]
    public void Experts_that_make_no_sense_are_refused([Range(0, 12)] int index)
    {
        var (change, reason) = Wrong[index];
        var model = ConfigText.Describe("MixtralForCausalLM", "{\"num_key_value_heads\":2}");
        Assert.That(ModelCheck.FindError(model), Is.Null);
        var wrong = model with { Layers = [.. model.Layers.Select(layer => layer with { FeedForward = change(layer.FeedForward!) })] };
        Assert.That(ModelCheck.FindError(wrong), Does.StartWith("layer 0: ").And.Contain(reason));
    }

    private static FeedForwardDescription With(FeedForwardDescription block, Func<ExpertsDescription, ExpertsDescription> change) => block with { Experts = change(block.Experts!) };
}

using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Models;

namespace Weft.Convert.Tests;

/// <summary>The ways in which real checkpoints say the same thing: tensor names, buffers, tied heads, older and newer config keys.</summary>
[TestFixture]
public sealed class SpellingTests
{
    [Test]
    public void Names_may_lack_the_outer_prefix()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Rename(name => name.Replace("model.", "", StringComparison.Ordinal));
        Assert.That(Conversion.Header(checkpoint).Tensors, Is.EqualTo(Conversion.Header(new TinyCheckpoint()).Tensors).Using<Weights.TensorEntry, Weights.TensorEntry>(SameData));
    }

    [TestCase("model.layers.0.self_attn.rotary_emb.inv_freq")]
    [TestCase("layers.1.self_attn.rotary_emb.inv_freq")]
    [TestCase("model.rotary_emb.inv_freq")]
    [TestCase("model.layers.1.self_attn.rotary_emb.cos_cached")]
    [TestCase("model.layers.1.self_attn.masked_bias")]
    public void Known_buffers_are_skipped(string name)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Tensors.Add(TinyTensor.Random(name, [4], 1));
        Assert.That(Conversion.Header(checkpoint).Tensors, Has.Count.EqualTo(checkpoint.Tensors.Count - 1));
    }

    [Test]
    public void A_tied_head_may_be_left_out()
    {
        var checkpoint = new TinyCheckpoint { Config = { ["tie_word_embeddings"] = true } };
        checkpoint.Tensors.Remove(checkpoint["lm_head.weight"]);
        var header = Conversion.Header(checkpoint);
        Assert.That(header.Model.Head.Tied);
        Assert.That(header.Tensors.Select(tensor => tensor.Name), Has.None.EqualTo("head.weight"));
    }

    [Test]
    public void A_head_of_its_own_must_be_stored()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Tensors.Remove(checkpoint["lm_head.weight"]);
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("'lm_head.weight' is missing"));
    }

    [TestCase("{\"rope_theta\":5000}", 5000, null, 0)]
    [TestCase("{\"rope_parameters\":{\"rope_theta\":5000,\"rope_type\":\"default\"}}", 5000, null, 0)]
    [TestCase("{\"rope_theta\":5000,\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}", 5000, RotaryScalingKind.Linear, 2)]
    [TestCase("{\"rope_theta\":5000,\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":2.0}}", 5000, RotaryScalingKind.Linear, 2)]
    [TestCase("{\"rope_parameters\":{\"rope_theta\":5000,\"rope_type\":\"linear\",\"factor\":2}}", 5000, RotaryScalingKind.Linear, 2)]
    [TestCase("{\"rope_scaling\":null}", 10000, null, 0)]
    [TestCase("{}", 10000, null, 0)]
    public void Rotary_keys_have_an_older_and_a_newer_spelling(string members, double theta, RotaryScalingKind? kind, double factor)
    {
        var rotary = Header(members).Model.Layers[0].Attention!.Rotary;
        Assert.That((rotary!.Theta, rotary.Scaling?.Kind, rotary.Scaling?.Factor ?? 0), Is.EqualTo((theta, kind, factor)));
    }

    [TestCase("{\"torch_dtype\":\"float16\"}")]
    [TestCase("{\"dtype\":\"float32\"}")]
    [TestCase("{\"dtype\":null}")]
    public void The_weights_decide_their_type_whatever_the_config_says(string members) =>
        Assert.That(Header(members).Tensors[0].DataType, Is.EqualTo(Tensors.DataType.BFloat16));

    [TestCase("{\"rope_type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":32,\"attention_factor\":1.5}", 1.5)]
    [TestCase("{\"rope_type\":\"yarn\",\"factor\":4,\"mscale\":0.707,\"mscale_all_dim\":0.707}", 1.0)]
    [TestCase("{\"rope_type\":\"yarn\",\"factor\":1}", 1.0)]
    public void Yarn_resolves_its_attention_factor(string scaling, double factor) =>
        Assert.That(Header($"{{\"rope_scaling\":{scaling}}}").Model.Layers[0].Attention!.Rotary!.Scaling!.AttentionFactor, Is.EqualTo(factor));

    [TestCase("{\"head_dim\":null}", 4)]
    [TestCase("{\"head_dim\":4.0}", 4)]
    public void A_head_size_may_be_null_or_written_with_a_point(string members, int size) =>
        Assert.That(Header(members).Model.Layers[0].Attention!.HeadSize, Is.EqualTo(size));

    [Test]
    public void Missing_members_have_the_defaults_of_the_family()
    {
        var checkpoint = new TinyCheckpoint();
        foreach (var name in new[] { "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings" })
            checkpoint.Config.Remove(name);
        var model = Conversion.Header(checkpoint).Model;
        Assert.That((model.ContextLength, model.FinalNorm!.Epsilon, model.Head.Tied), Is.EqualTo((2048, 1e-6f, false)));
    }

    private static Weights.WeftHeader Header(string members)
    {
        var checkpoint = new TinyCheckpoint();
        foreach (var (name, value) in JsonNode.Parse(members)!.AsObject())
            checkpoint.Config[name] = value?.DeepClone();
        return Conversion.Header(checkpoint);
    }

    private static bool SameData(Weights.TensorEntry a, Weights.TensorEntry b) => (a.Name, a.DataType, a.Length, a.Checksum) == (b.Name, b.DataType, b.Length, b.Checksum);
}

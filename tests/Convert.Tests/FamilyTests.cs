using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Models;

namespace Weft.Convert.Tests;

/// <summary>What the families differ in: sliding windows, biases, names.</summary>
[TestFixture]
public sealed class FamilyTests
{
    [TestCase("{}", 4096)]
    [TestCase("{\"sliding_window\":null}", null)]
    [TestCase("{\"sliding_window\":16}", 16)]
    public void Mistral_has_a_window_unless_it_is_null(string members, int? window)
    {
        var model = Header(new TinyCheckpoint(), "MistralForCausalLM", members).Model;
        Assert.That(model.Layers.Select(layer => layer.Attention!.Window), Is.All.EqualTo(window));
    }

    [TestCase("{}", null, null)]
    [TestCase("{\"use_sliding_window\":false,\"sliding_window\":16,\"max_window_layers\":0}", null, null)]
    [TestCase("{\"use_sliding_window\":true,\"sliding_window\":16,\"max_window_layers\":0}", 16, 16)]
    [TestCase("{\"use_sliding_window\":true,\"sliding_window\":16,\"max_window_layers\":1}", null, 16)]
    [TestCase("{\"use_sliding_window\":true,\"sliding_window\":16,\"max_window_layers\":2}", null, null)]
    [TestCase("{\"use_sliding_window\":true,\"sliding_window\":16}", null, null)]
    [TestCase("{\"use_sliding_window\":true,\"max_window_layers\":0}", 4096, 4096)]
    [TestCase("{\"use_sliding_window\":true,\"sliding_window\":null,\"max_window_layers\":0}", null, null)]
    [TestCase("{\"use_sliding_window\":true,\"sliding_window\":16,\"layer_types\":[\"sliding_attention\",\"full_attention\"]}", 16, null)]
    [TestCase("{\"use_sliding_window\":false,\"layer_types\":[\"full_attention\",\"full_attention\"]}", null, null)]
    public void Qwen2_has_a_window_in_the_layers_that_ask_for_it(string members, int? first, int? second)
    {
        var model = Header(WithBiases(output: false), "Qwen2ForCausalLM", members).Model;
        Assert.That(model.Layers.Select(layer => layer.Attention!.Window), Is.EqualTo(new[] { first, second }));
        Assert.That(model.Layers.Select(layer => (layer.Attention!.InputBias, layer.Attention!.OutputBias)), Is.All.EqualTo((true, false)));
    }

    [Test]
    public void Qwen2_needs_its_biases()
    {
        var checkpoint = new TinyCheckpoint { Config = { ["architectures"] = new JsonArray("Qwen2ForCausalLM") } };
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("q_proj.bias"));
    }

    [Test]
    public void InternLm_has_biases_on_all_four_projections([Values] bool bias)
    {
        var model = Header(bias ? WithBiases(output: true) : new TinyCheckpoint(), "InternLMForCausalLM", bias ? "{}" : "{\"bias\":false}").Model;
        Assert.That(model.Layers.Select(layer => (layer.Attention!.InputBias, layer.Attention!.OutputBias)), Is.All.EqualTo((bias, bias)));
        Assert.That(TensorSchema.Of(model).Count(tensor => tensor.Name.EndsWith(".bias", StringComparison.Ordinal)), Is.EqualTo(bias ? 8 : 0));
    }

    [TestCase("{}", 10000)]
    [TestCase("{\"rotary\":{\"base\":50000,\"type\":\"origin\"}}", 50000)]
    [TestCase("{\"rotary\":{\"base\":10000,\"type\":\"dynamic\"}}", 10000)]
    [TestCase("{\"rope_theta\":5000}", 5000)]
    public void InternLm_has_its_own_spelling_of_the_rotary_base(string members, double theta)
    {
        var model = Header(WithBiases(output: true), "InternLMForCausalLM", members).Model;
        Assert.That(model.Layers.Select(layer => layer.Attention!.Rotary), Is.All.EqualTo(new RotaryDescription { Theta = theta }));
    }

    [Test]
    public void An_unknown_rotary_embedding_of_InternLm_is_named()
    {
        var checkpoint = WithBiases(output: true);
        checkpoint.Config["architectures"] = new JsonArray("InternLMForCausalLM");
        checkpoint.Config["rotary"] = new JsonObject { ["type"] = "spiral" };
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("config.json").And.Contain("'spiral'"));
    }

    [Test]
    public void Llama_may_have_biases()
    {
        var model = Header(WithBiases(output: true), "LlamaForCausalLM", "{\"attention_bias\":true}").Model;
        Assert.That(model.Layers.Select(layer => (layer.Attention!.InputBias, layer.Attention!.OutputBias)), Is.All.EqualTo((true, true)));
    }

    [Test]
    public void Biases_that_the_config_does_not_announce_are_surplus() =>
        Assert.That(Conversion.Refusal(WithBiases(output: false)), Does.Contain("_proj.bias").And.Contain("not part"));

    [Test]
    public void Yi_has_other_names_for_its_norms()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Rename(name => name
            .Replace("input_layernorm", "ln1", StringComparison.Ordinal).Replace("post_attention_layernorm", "ln2", StringComparison.Ordinal));
        var (yi, llama) = (Header(checkpoint, "YiForCausalLM", "{}"), Conversion.Header(new TinyCheckpoint()));
        Assert.That(yi.Tensors.Select(tensor => (tensor.Name, tensor.Checksum)), Is.EqualTo(llama.Tensors.Select(tensor => (tensor.Name, tensor.Checksum))));
    }

    [Test]
    public void Llama_has_other_names([Values("LLaMAForCausalLM", "AquilaForCausalLM", "AquilaModel", "XverseForCausalLM")] string architecture)
    {
        var (other, llama) = (Header(new TinyCheckpoint(), architecture, "{}"), Conversion.Header(new TinyCheckpoint()));
        Assert.That(other.Tensors.Select(tensor => (tensor.Name, tensor.Checksum)), Is.EqualTo(llama.Tensors.Select(tensor => (tensor.Name, tensor.Checksum))));
        Assert.That(other.Provenance.Architecture, Is.EqualTo(architecture));
    }

    private static TinyCheckpoint WithBiases(bool output)
    {
        var checkpoint = new TinyCheckpoint();
        string[] projections = output ? ["q_proj", "k_proj", "v_proj", "o_proj"] : ["q_proj", "k_proj", "v_proj"];
        foreach (var weight in checkpoint.Tensors.Where(tensor => projections.Any(tensor.Name.Contains)).ToList())
            checkpoint.Tensors.Add(TinyTensor.Random(weight.Name.Replace(".weight", ".bias", StringComparison.Ordinal), [weight.Shape[0]], 7));
        return checkpoint;
    }

    private static Weights.WeftHeader Header(TinyCheckpoint checkpoint, string architecture, string members)
    {
        checkpoint.Config["architectures"] = new JsonArray(architecture);
        foreach (var (name, value) in JsonNode.Parse(members)!.AsObject())
            checkpoint.Config[name] = value?.DeepClone();
        return Conversion.Header(checkpoint);
    }
}

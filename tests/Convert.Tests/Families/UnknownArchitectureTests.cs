using System.Diagnostics;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Reference;

namespace Weft.Convert.Tests.Families;

/// <summary>What is said of a checkpoint whose architecture no family knows: the blocks that are missing and the nearest family, and nothing that is not so.</summary>
[TestFixture]
public sealed class UnknownArchitectureTests
{
    [TestCase("[\"BananaForCausalLM\"]")]
    [TestCase("[\"GemmoForCausalLM\"]")]
    [TestCase("[]")]
    [TestCase("null")]
    public void The_family_whose_tensors_they_are_is_named(string architectures)
    {
        var message = Refusal(config => config["architectures"] = JsonNode.Parse(architectures));
        Assert.That(message, Does.Contain("its tensors are those of LlamaForCausalLM").And.Not.Contain("lacks").And.Not.Contain("does not know"));
    }

    [TestCase("mixtral", "MixtralForCausalLM")]
    [TestCase("bart", "BartForConditionalGeneration")]
    [TestCase("mamba", "MambaForCausalLM")]
    [TestCase("qwen3", "Qwen3ForCausalLM")]
    [TestCase("gpt-neox", "GPTNeoXForCausalLM")]
    [TestCase("falcon-7b", "FalconForCausalLM")]
    public void A_family_does_not_lack_what_it_has(string golden, string family)
    {
        if (SharedData.TryFind($"goldens/{golden}") is not { } folder)
        {
            Assert.Ignore($"the reference checkpoint '{golden}' is not on this machine");
            return;
        }

        using var scratch = new ScratchFolder();
        foreach (var file in Directory.EnumerateFiles(folder).Where(file => Path.GetFileName(file) != "config.json"))
            File.CreateSymbolicLink(scratch[Path.GetFileName(file)], file);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!;
        config["architectures"] = new JsonArray("HyperForCausalLM");
        File.WriteAllText(scratch["config.json"], config.ToJsonString());
        Assert.That(Conversion.Refusal(scratch.Root), Does.Contain($"its tensors are those of {family}").And.Not.Contain("lacks").And.Not.Contain("tensors that it does not have"));
    }

    [Test]
    public void Blocks_that_the_nearest_family_has_not_are_named()
    {
        var message = Refusal(config =>
        {
            config["architectures"] = new JsonArray("HyperForCausalLM");
            config["ssm_state_size"] = 16;
            config["num_experts"] = 8;
            config["warp_drive"] = 7;
            config["router_aux_loss_coef"] = 0.01;
            config["attn_soft_cap"] = null;
            config["output_multiplier_scale"] = 0.5;
            config["output_attentions"] = false;
        });
        Assert.That(message, Does.Contain("scaled activations (output_multiplier_scale)").And.Not.Contain("output_attentions"));
        Assert.That(message, Does.Contain("lacks").And.Contain("state space (ssm_state_size)").And.Contain("mixture of experts (num_experts)").And.Contain("does not know warp_drive"));
        Assert.That(message, Does.Not.Contain("router_aux_loss_coef").And.Not.Contain("capped"));
    }

    [Test]
    public void A_config_of_which_little_is_known_still_has_its_unknown_members_named()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch["config.json"], """{"architectures":["FooBarNet"],"vocab_size":320,"warp_drive":7,"hidden":3}""");
        Assert.That(Conversion.Refusal(scratch.Root), Does.Contain("nearest to").And.Contain("warp_drive, hidden").And.Contain("needs"));
        File.WriteAllText(scratch["config.json"], """{"warp_drive":7,"hidden":3,"crew_experts":2}""");
        Assert.That(Conversion.Refusal(scratch.Root), Does.Contain("no supported family knows warp_drive, hidden").And.Contain("asks for mixture of experts (crew_experts)"));
    }

    [Test]
    public void Names_are_not_suggested_twice()
    {
        var message = Refusal(config => config["architectures"] = new JsonArray("ChatGLMModell"));
        var names = message[(message.IndexOf("by name are ", StringComparison.Ordinal) + 12)..].Split(';')[0].Split(", ");
        Assert.That(names, Is.Unique);
    }

    [Test]
    public void Long_names_and_many_members_take_no_time()
    {
        var clock = Stopwatch.StartNew();
        var message = Refusal(config =>
        {
            config["architectures"] = new JsonArray(new string('A', 1_000_000));
            for (var i = 0; i < 20_000; i++)
                config[$"m{i}"] = i;
        });
        Assert.That(message, Has.Length.LessThan(2000));
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)));
    }

    private static string Refusal(Action<JsonObject> change)
    {
        var checkpoint = new TinyCheckpoint();
        change(checkpoint.Config);
        return Conversion.Refusal(checkpoint);
    }
}

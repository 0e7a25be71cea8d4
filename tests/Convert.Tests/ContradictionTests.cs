using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Reference;

namespace Weft.Convert.Tests;

/// <summary>Configs that contradict the weights say where; architectures that nobody knows say what they need.</summary>
[TestFixture]
public sealed class ContradictionTests
{
    [TestCase("vocab_size", 11, "embed_tokens.weight", "[10, 8]", "[11, 8] (vocab_size 11)")]
    [TestCase("hidden_size", 16, "embed_tokens.weight", "[10, 8]", "[10, 16] (hidden_size 16)")]
    [TestCase("intermediate_size", 14, "mlp.", "[12, 8]", "[14, 8] (intermediate_size 14)")]
    [TestCase("num_key_value_heads", 2, "k_proj.weight", "[4, 8]", "[8, 8] (hidden_size 8, num_attention_heads 2, num_key_value_heads 2)")]
    [TestCase("num_attention_heads", 4, "k_proj.weight", "[4, 8]", "[2, 8] (hidden_size 8, num_attention_heads 4, num_key_value_heads 1)")]
    [TestCase("head_dim", 8, "q_proj.weight", "[8, 8]", "[16, 8] (num_attention_heads 2, head_dim 8)")]
    public void A_size_that_contradicts_a_tensor_is_named(string member, int value, string tensor, string stored, string asked)
    {
        var checkpoint = new TinyCheckpoint { Config = { [member] = value } };
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain(tensor).And.Contain(stored).And.Contain($"the config asks for {asked}"));
    }

    [TestCase("intermediate_size", 25, "input_linear.weight", "[5, 48, 32]", "[5, 50, 32] (intermediate_size 25)")]
    [TestCase("num_local_experts", 6, "router.layer.weight", "[5, 32]", "[6, 32] (num_local_experts 6)")]
    public void A_size_that_contradicts_experts_in_one_tensor_is_named(string member, int value, string tensor, string stored, string asked)
    {
        var folder = Path.Combine(SharedData.Repository, "tests", "Checkpoints", "GraniteMoeForCausalLM");
        using var scratch = new ScratchFolder();
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!;
        config[member] = value;
        File.WriteAllText(scratch["config.json"], config.ToJsonString());
        File.Copy(Path.Combine(folder, "model.safetensors"), scratch["model.safetensors"]);
        Assert.That(Conversion.Sentence(() => Converter.Convert(new(scratch.Root, scratch["a.weft"]))),
            Does.Contain(tensor).And.Contain(stored).And.Contain($"the config asks for {asked}"));
    }

    [TestCase(3, "is missing; the weights have 2 layers, fewer than the config says")]
    [TestCase(1, "is not part of this architecture; the config says that there are 1 layers")]
    public void Another_number_of_layers_is_named(int layers, string sentence) =>
        Assert.That(Conversion.Refusal(new TinyCheckpoint { Config = { ["num_hidden_layers"] = layers } }), Does.Contain(sentence));

    [Test]
    public void A_head_that_the_config_ties_and_the_weights_do_not_is_named() =>
        Assert.That(Conversion.Refusal(new TinyCheckpoint { Config = { ["tie_word_embeddings"] = true } }), Does.Contain("'lm_head.weight' differs").And.Contain("the config ties them"));

    [Test]
    public void An_unknown_architecture_says_what_the_nearest_family_lacks()
    {
        var checkpoint = new TinyCheckpoint
        {
            Config =
            {
                ["architectures"] = new JsonArray("BananaForCausalLM"), ["moe_routes"] = 8, ["router_width"] = 2, ["sliding_window"] = 4096, ["kv_lora_rank"] = 512,
                ["ssm_state_size"] = 16, ["peel_depth"] = 3, ["dropout"] = 0.1, ["use_cache"] = true, ["router_bias"] = false,
            },
        };
        checkpoint.Tensors.Add(TinyTensor.Random("model.layers.0.peel.weight", [8], 1));
        checkpoint.Tensors.Add(TinyTensor.Random("model.layers.1.peel.weight", [8], 1));
        var message = Conversion.Refusal(checkpoint);
        Assert.That(message, Does.Contain("config.json: the architecture 'BananaForCausalLM' is not supported").And.Match(@"it is nearest to MistralForCausalLM \(as near: [^)]+\), which lacks"));
        Assert.That(message, Does.Contain("mixture of experts (moe_routes, router_width)").And.Not.Contain("sliding_window"));
        Assert.That(message, Does.Contain("latent attention (kv_lora_rank)").And.Contain("state space (ssm_state_size)").And.Contain("does not know peel_depth"));
        Assert.That(message, Does.EndWith("tensors that it does not have: model.layers.#.peel.weight"));
        Assert.That(message, Does.Not.Contain("dropout").And.Not.Contain("use_cache").And.Not.Contain("router_bias"));
    }

    [Test]
    public void An_unknown_architecture_without_weights_is_explained_by_its_config()
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch["model"]);
        File.WriteAllText(Path.Combine(scratch["model"], "config.json"), """
            {"architectures": ["MixtralForCausalLN"], "vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_hidden_layers": 2,
             "num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2}
            """);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("nearest supported ones by name are MixtralForCausalLM").And.Contain("by its config it is nearest to MixtralForCausalLM"));
    }

    [Test]
    public void An_unknown_architecture_that_a_family_comes_near_to_in_little_says_what_that_does_not_know()
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch["model"]);
        File.WriteAllText(Path.Combine(scratch["model"], "config.json"), """{"architectures": ["BambaModel"], "breadth": 64, "ssm_state_size": 16, "conv_kernel": 4}""");
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("it is nearest to MambaForCausalLM").And.Contain("which does not know breadth, ssm_state_size and needs"));
    }

    /// <summary>Whatever reference checkpoint is given another architecture's name finds a family, and its own where names of tensors tell.</summary>
    [TestCase("bloom", "BloomForCausalLM")]
    [TestCase("mixtral", "MixtralForCausalLM")]
    [TestCase("gpt-j", "GPTJForCausalLM")]
    [TestCase("stablelm-3b", "StableLmForCausalLM")]
    public void A_known_model_under_another_name_is_nearest_to_its_own_family(string golden, string architecture)
    {
        if (SharedData.TryFind("goldens/" + golden) is not { } folder)
        {
            Assert.Ignore("the reference checkpoints are not on this machine");
            return;
        }

        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch["model"]);
        foreach (var file in Directory.EnumerateFiles(folder))
            File.Copy(file, Path.Combine(scratch["model"], Path.GetFileName(file)));
        var path = Path.Combine(scratch["model"], "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!;
        config["architectures"] = new JsonArray("UnheardOfModel");
        File.WriteAllText(path, config.ToJsonString());
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain($"its tensors are those of {architecture}"));
    }
}

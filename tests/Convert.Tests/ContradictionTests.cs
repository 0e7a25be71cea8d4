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
        Assert.That(Altered("GraniteMoeForCausalLM", member, value), Does.Contain(tensor).And.Contain(stored).And.Contain($"the config asks for {asked}"));
    }

    /// <summary>Where several matrices are one, its rows say which sizes are meant.</summary>
    [TestCase("Phi3ForCausalLM", "num_key_value_heads", 2, "qkv_proj.weight' has the shape [64, 32]", "96 rows (hidden_size 32, num_attention_heads 2, num_key_value_heads 2)")]
    [TestCase("Phi3ForCausalLM", "intermediate_size", 25, "gate_up_proj.weight' has the shape [96, 32]", "50 rows (intermediate_size 25)")]
    [TestCase("BloomForCausalLM", "hidden_size", 64, "word_embeddings.weight' has the shape", "(hidden_size 64)")]
    public void A_size_that_contradicts_joined_matrices_is_named(string architecture, string member, int value, string tensor, string asked) =>
        Assert.That(Altered(architecture, member, value), Does.Contain(tensor).And.Contain(asked));

    /// <summary>As many numbers are not enough: a tensor of other dimensions is of something else.</summary>
    [TestCase("lm_head.weight", new[] { 2, 5, 8 }, "[10, 8]")]
    [TestCase("model.layers.0.self_attn.q_proj.weight", new[] { 8, 2, 4 }, "[8, 8]")]
    [TestCase("model.layers.1.mlp.down_proj.weight", new[] { 96 }, "[8, 12]")]
    [TestCase("model.norm.weight", new[] { 2, 4 }, "[8]")]
    [TestCase("model.norm.weight", new[] { 2, 2, 2 }, "[8]")]
    public void A_tensor_of_other_dimensions_is_refused(string name, int[] shape, string asked)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Replace(name, _ => TinyTensor.Random(name, shape, 1));
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain($"tensor '{name}' has the shape [{string.Join(", ", shape)}], but the config asks for {asked}"));
    }

    [TestCase("model.norm.weight", new[] { 1, 8 })]
    [TestCase("model.norm.weight", new[] { 1, 1, 8 })]
    [TestCase("lm_head.weight", new[] { 10, 8, 1 })]
    public void Dimensions_of_size_1_say_nothing(string name, int[] shape)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Replace(name, _ => TinyTensor.Random(name, shape, 1));
        Assert.That(() => Conversion.Header(checkpoint), Throws.Nothing);
    }

    /// <summary>One expert has a column less and the other one more.</summary>
    [Test]
    public void Experts_of_different_shapes_are_refused()
    {
        using var scratch = new ScratchFolder();
        const string Config = """
            {"architectures": ["MixtralForCausalLM"], "vocab_size": 8, "hidden_size": 4, "intermediate_size": 6, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
             "num_local_experts": 2, "num_experts_per_tok": 1}
            """;
        RandomTensors.Write(scratch["model"], Config,
        [
            ("model.embed_tokens.weight", [8, 4]), ("model.norm.weight", [4]), ("lm_head.weight", [8, 4]),
            .. new[] { "input_layernorm", "post_attention_layernorm" }.Select(norm => ($"model.layers.0.{norm}.weight", new[] { 4 })),
            .. "qkvo".Select(part => ($"model.layers.0.self_attn.{part}_proj.weight", new[] { 4, 4 })),
            ("model.layers.0.block_sparse_moe.gate.weight", [2, 4]),
            .. new[] { 3, 5 }.Index().SelectMany(expert => new[] { ("w1", [6, expert.Item]), ("w2", [4, 6]), ("w3", new[] { 6, 4 }) }
                .Select(matrix => ($"model.layers.0.block_sparse_moe.experts.{expert.Index}.{matrix.Item1}.weight", matrix.Item2))),
        ]);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("experts.0.w1.weight' has the shape [6, 3], but the config asks for [12, 4]"));
    }

    /// <summary>OPT's table has two rows before the first position; transformers makes and takes no other.</summary>
    [TestCase(15)]
    [TestCase(17)]
    public void A_table_of_another_number_of_positions_is_refused(int positions)
    {
        using var scratch = new ScratchFolder();
        WriteOpt(scratch["model"], positions);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain(
            $"'model.decoder.embed_positions.weight' has the shape [18, 4], but the config asks for a table of {positions} positions, with 2 rows before them (max_position_embeddings {positions})"));
        WriteOpt(scratch["model"], 16);
        Assert.That(() => Conversion.Convert(scratch["model"]).Dispose(), Throws.Nothing);
    }

    [TestCase("eos_token_id", "10", "config.json: 'eos_token_id' is 10, but the vocabulary has 10 tokens")]
    [TestCase("eos_token_id", "[2, 32000]", "config.json: 'eos_token_id' is 32000, but the vocabulary has 10 tokens")]
    [TestCase("bos_token_id", "50256", "config.json: 'bos_token_id' is 50256, but the vocabulary has 10 tokens")]
    public void A_token_beyond_the_vocabulary_is_refused(string member, string value, string sentence)
    {
        Assert.That(Conversion.Refusal(new TinyCheckpoint { Config = { [member] = JsonNode.Parse(value) } }), Does.Contain(sentence));
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        File.WriteAllText(Path.Combine(scratch["model"], "generation_config.json"), $"{{\"{member}\": {value}}}");
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("generation_" + sentence));
    }

    /// <summary>The config's own is not asked for where the file beside it has a better one.</summary>
    [Test]
    public void A_token_beyond_the_vocabulary_that_is_not_used_is_no_matter()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint { Config = { ["eos_token_id"] = 50256, ["pad_token_id"] = 10 } }.Write(scratch["model"]);
        File.WriteAllText(Path.Combine(scratch["model"], "generation_config.json"), """{"eos_token_id": [2, -1]}""");
        using var file = Conversion.Convert(scratch["model"]);
        Assert.That(file.Header.Generation.EosTokens, Is.EqualTo(new[] { 2 }));
        // It is neither read nor generated, and some releases name one beyond.
        Assert.That(file.Header.Generation.PadToken, Is.Null);
    }

    [Test]
    public void A_head_that_is_missing_and_not_tied_is_named()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Tensors.Remove(checkpoint["lm_head.weight"]);
        Assert.That(Conversion.Refusal(checkpoint), Does.EndWith("tensor 'lm_head.weight' is missing, though the config does not tie it to the embedding (tie_word_embeddings false)"));
        checkpoint.Config.Remove("tie_word_embeddings");
        Assert.That(Conversion.Refusal(checkpoint), Does.EndWith("tensor 'lm_head.weight' is missing, though the config does not tie it to the embedding"));
    }

    [TestCase("attention_bias", "model.layers.0.self_attn.q_proj.bias")]
    [TestCase("mlp_bias", "model.layers.0.mlp.gate_proj.bias")]
    public void What_asks_for_a_missing_tensor_is_named(string member, string tensor) =>
        Assert.That(Conversion.Refusal(new TinyCheckpoint { Config = { [member] = true } }), Does.EndWith($"tensor '{tensor}' is missing ({member} true)"));

    [Test]
    public void What_leaves_a_tensor_over_is_named()
    {
        var checkpoint = new TinyCheckpoint { Config = { ["attention_bias"] = false } };
        checkpoint.Tensors.Add(TinyTensor.Random("model.layers.1.self_attn.k_proj.bias", [4], 1));
        Assert.That(Conversion.Refusal(checkpoint), Does.EndWith("tensor 'model.layers.1.self_attn.k_proj.bias' is not part of this architecture as the config has it (attention_bias false)"));
    }

    [TestCase("""{"quant_method": "gptq", "bits": 4, "group_size": 128}""", "gptq")]
    [TestCase("""{"quant_method": "awq", "bits": 4, "group_size": 128}""", "awq")]
    [TestCase("""{"quant_method": "fp8"}""", "fp8")]
    [TestCase("""{"quant_method": "mxfp4"}""", "mxfp4")]
    [TestCase("""{"quant_method": "bitsandbytes", "load_in_4bit": true}""", "bitsandbytes")]
    public void Numbers_that_are_said_to_be_quantized_are_refused(string quantization, string method) => Assert.That(
        Conversion.Refusal(new TinyCheckpoint { Config = { ["quantization_config"] = JsonNode.Parse(quantization) } }),
        Does.Contain("config.json: ").And.Contain($"the weights are said to be quantized ({method}), but no tensor is stored so"));

    [Test]
    public void Codes_that_are_not_said_to_be_quantized_are_named()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Replace("model.layers.0.self_attn.q_proj.weight", tensor => tensor with { Name = "model.layers.0.self_attn.q_proj.qweight" });
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("'model.layers.0.self_attn.q_proj.weight' is missing, but 'model.layers.0.self_attn.q_proj.qweight' is there"));
    }

    [TestCase(3, "is missing; the weights have 2 layers, fewer than the config says")]
    [TestCase(1, "is not part of this architecture; the config says that there are 1 layers")]
    public void Another_number_of_layers_is_named(int layers, string sentence) =>
        Assert.That(Conversion.Refusal(new TinyCheckpoint { Config = { ["num_hidden_layers"] = layers } }), Does.Contain(sentence));

    /// <summary>Checkpoints of this kind may hold one layer more, for training, which has tensors that no other has.</summary>
    [Test]
    public void A_layer_more_is_not_taken_for_one_of_training() =>
        Assert.That(Altered("Glm4MoeForCausalLM", "num_hidden_layers", 2), Does.Contain("'model.layers.2.").And.EndWith("the config says that there are 2 layers"));

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

    private static string Altered(string architecture, string member, int value)
    {
        var folder = Path.Combine(SharedData.Repository, "tests", "Checkpoints", architecture);
        using var scratch = new ScratchFolder();
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!;
        config[member] = value;
        Directory.CreateDirectory(scratch["model"]);
        File.WriteAllText(Path.Combine(scratch["model"], "config.json"), config.ToJsonString());
        File.Copy(Path.Combine(folder, "model.safetensors"), Path.Combine(scratch["model"], "model.safetensors"));
        return Conversion.Refusal(scratch["model"]);
    }

    /// <summary>An OPT with a table for 16 positions.</summary>
    private static void WriteOpt(string folder, int positions)
    {
        (string Name, int[] Shape)[] modules =
        [
            ("embed_tokens", [10, 4]), ("embed_positions", [18, 4]), ("final_layer_norm", [4]), ("layers.0.self_attn_layer_norm", [4]), ("layers.0.final_layer_norm", [4]),
            ("layers.0.fc1", [6, 4]), ("layers.0.fc2", [4, 6]), .. new[] { "q", "k", "v", "out" }.Select(part => ($"layers.0.self_attn.{part}_proj", new[] { 4, 4 })),
        ];
        RandomTensors.Write(
            folder,
            $$"""{"architectures": ["OPTForCausalLM"], "vocab_size": 10, "hidden_size": 4, "ffn_dim": 6, "num_attention_heads": 2, "num_hidden_layers": 1, "max_position_embeddings": {{positions}}}""",
            [
                .. modules.Select(module => ($"model.decoder.{module.Name}.weight", module.Shape)),
                .. modules.Where(module => !module.Name.StartsWith("embed", StringComparison.Ordinal)).Select(module => ($"model.decoder.{module.Name}.bias", new[] { module.Shape[0] })),
            ]);
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

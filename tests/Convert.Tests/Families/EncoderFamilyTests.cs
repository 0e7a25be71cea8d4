using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Convert.Tests.Families;

/// <summary>Encoder-decoders for which there is no reference checkpoint: random ones in the layout of the release, converted and run, against what the papers define.</summary>
[TestFixture]
public sealed class EncoderFamilyTests
{
    private static IEnumerable<ReferenceTranslator> Models =>
    [
        new() { Architecture = "BartForConditionalGeneration", LearnedPositions = true, FirstPosition = 2, NormsEmbedding = true, HeadBias = true },
        new() { Architecture = "MBartForConditionalGeneration", LearnedPositions = true, FirstPosition = 2, NormsFirst = true, NormsEmbedding = true, HeadBias = true, Scaled = true },
        new() { Architecture = "M2M100ForConditionalGeneration", FirstPosition = 2, NormsFirst = true, Scaled = true, Activation = Activation.Relu },
        new() { Architecture = "NllbMoeForConditionalGeneration", FirstPosition = 2, NormsFirst = true, Scaled = true, Activation = Activation.Relu, Experts = 5, Dropout = 0.2 },
        new() { Architecture = "PegasusForConditionalGeneration", ReachesLast = false, NormsFirst = true, HeadBias = true, Scaled = true, Activation = Activation.Relu },
        new() { Architecture = "MarianMTModel", ReachesLast = false, HeadBias = true, Scaled = true, Activation = Activation.Silu },
        new() { Architecture = "BlenderbotForConditionalGeneration", LearnedPositions = true, NormsFirst = true, HeadBias = true, Scaled = true },
    ];

    [TestCaseSource(nameof(Models))]
    public void A_random_checkpoint_matches_the_definition(ReferenceTranslator reference)
    {
        using var scratch = new ScratchFolder();
        var tensors = RandomTensors.Write(scratch["model"], Config(reference).ToJsonString(), reference.Tensors());
        Conversion.Convert(scratch["model"]).Dispose();
        int[] source = [.. Enumerable.Range(0, 29).Select(i => ((i * 37) + (i * i)) % reference.Vocabulary)];
        int[] tokens = [2, .. Enumerable.Range(0, 21).Select(i => ((i * 11) + 5) % reference.Vocabulary)];
        using var model = Model.Load(scratch["model"] + ".weft", new() { CacheType = DataType.Float32, Device = new(DeviceKind.Cpu, 0) });
        using var sequence = model.CreateSequence();
        var logits = new float[tokens.Length * reference.Vocabulary];
        sequence.Encode(source);
        sequence.Forward(tokens, LogitRows.All, logits);
        Assert.That(ErrorMeasure.RelativeRms(logits, reference.Logits(tensors, source, tokens)), Is.LessThan(1e-5));
    }

    [Test]
    public void What_is_forced_first_belongs_to_the_start()
    {
        using var scratch = new ScratchFolder();
        var reference = Models.First();
        var config = Config(reference);
        config["forced_bos_token_id"] = 0;
        RandomTensors.Write(scratch["model"], config.ToJsonString(), reference.Tensors());
        using (var file = Conversion.Convert(scratch["model"]))
            Assert.That(file.Header.Model.Encoder!.StartTokens, Is.EqualTo(new[] { 2, 0 }));
        // What generation is told wins.
        File.WriteAllText(Path.Combine(scratch["model"], "generation_config.json"), """{"decoder_start_token_id": 7, "forced_bos_token_id": null}""");
        using (var file = Conversion.Convert(scratch["model"]))
            Assert.That(file.Header.Model.Encoder!.StartTokens, Is.EqualTo(new[] { 7, 0 }));
    }

    [TestCase("NllbMoeForConditionalGeneration", "second_expert_policy", "\"random\"", "'second_expert_policy' random drops experts at random")]
    [TestCase("BartForConditionalGeneration", "static_position_embeddings", "true", "'static_position_embeddings' is not supported")]
    [TestCase("BartForConditionalGeneration", "decoder_start_token_id", "99", "what is generated must begin with tokens of the vocabulary, not with 99")]
    [TestCase("BartForConditionalGeneration", "decoder_start_token_id", "null", "'decoder_start_token_id' is missing")]
    [TestCase("MBartForConditionalGeneration", "encoder_attention_heads", "5", "5 attention heads do not divide a hidden size of 48")]
    public void A_config_that_cannot_be_is_refused(string architecture, string member, string value, string sentence)
    {
        using var scratch = new ScratchFolder();
        var config = Config(Models.Single(model => model.Architecture == architecture));
        config[member] = JsonNode.Parse(value);
        RandomTensors.Write(scratch["model"], config.ToJsonString(), []);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain(sentence));
    }

    /// <summary>Learned tables have as many rows as transformers makes for the config, and so has a copy of one that is computed.</summary>
    [TestCase("BartForConditionalGeneration", 127, "a table of 127 positions, with 2 rows before them (max_position_embeddings 127)")]
    [TestCase("MBartForConditionalGeneration", 129, "a table of 129 positions, with 2 rows before them (max_position_embeddings 129)")]
    [TestCase("BlenderbotForConditionalGeneration", 127, "[127, 48] (max_position_embeddings 127)")]
    [TestCase("MarianMTModel", 127, "[127, 48] (max_position_embeddings 127)")]
    [TestCase("PegasusForConditionalGeneration", 129, "[129, 48] (max_position_embeddings 129)")]
    public void A_table_of_another_number_of_positions_is_refused(string architecture, int positions, string asked)
    {
        using var scratch = new ScratchFolder();
        var reference = Models.Single(model => model.Architecture == architecture);
        var config = Config(reference);
        List<(string Name, int[] Shape)> tensors = [.. reference.Tensors()];
        if (!reference.LearnedPositions)
            tensors.AddRange(new[] { "encoder", "decoder" }.Select(stack => ($"model.{stack}.embed_positions.weight", new[] { 128, reference.Hidden })));
        RandomTensors.Write(scratch["model"], config.ToJsonString(), tensors);
        Assert.That(() => Conversion.Convert(scratch["model"]).Dispose(), Throws.Nothing);
        config["max_position_embeddings"] = positions;
        RandomTensors.Write(scratch["model"], config.ToJsonString(), tensors);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("coder.embed_positions.weight' has the shape [1").And.Contain($"but the config asks for {asked}"));
    }

    [Test]
    public void An_encoders_layers_are_counted_by_themselves()
    {
        using var scratch = new ScratchFolder();
        var config = Config(Models.First());
        config["encoder_layers"] = 1;
        RandomTensors.Write(scratch["model"], config.ToJsonString(), Models.First().Tensors());
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("'model.encoder.layers.1.").And.EndWith("the config says that there are 1 layers"));
    }

    [TestCase("relu", true, Activation.Relu)]
    [TestCase("gelu", true, Activation.Gelu)]
    [TestCase("gated-gelu", false, Activation.GeluTanh)]
    [TestCase("gated-silu", false, Activation.Silu)]
    public void T5_reads_its_feed_forward(string text, bool isPlain, Activation activation)
    {
        var block = DescribeT5($"\"feed_forward_proj\": \"{text}\"").Layers[0].FeedForward!;
        Assert.That((block.Plain, block.Activation), Is.EqualTo((isPlain, activation)));
    }

    [TestCase("\"model_type\": \"t5\"", true, true)]
    [TestCase("\"model_type\": \"t5\", \"tie_word_embeddings\": false", false, false)]
    [TestCase("\"model_type\": \"t5\", \"scale_decoder_outputs\": false", true, false)]
    [TestCase("\"model_type\": \"mt5\"", false, false)]
    [TestCase("\"model_type\": \"mt5\", \"tie_word_embeddings\": true", true, false)]
    [TestCase("\"model_type\": \"umt5\", \"tie_word_embeddings\": true", true, true)]
    public void T5_scales_its_result_where_it_is_tied_and_nothing_says_otherwise(string members, bool isTied, bool isScaled)
    {
        var head = DescribeT5(members).Head;
        Assert.That((head.Tied, head.Scale is not null), Is.EqualTo((isTied, isScaled)));
    }

    /// <summary>Buckets are T5's published ones; a layer's own table is taken where there is one.</summary>
    [Test]
    public void Umt5_has_a_bias_by_distance_in_each_layer()
    {
        using var scratch = new ScratchFolder();
        const string Config = """
            {"architectures": ["UMT5ForConditionalGeneration"], "model_type": "umt5", "vocab_size": 61, "d_model": 32, "num_heads": 2, "d_kv": 16, "d_ff": 40, "num_layers": 2, "relative_attention_max_distance": 40,
             "tie_word_embeddings": true, "decoder_start_token_id": 0}
            """;
        var tensors = RandomTensors.Write(scratch["model"], Config, T5Tensors(["encoder", "decoder"], 2));
        using var file = Conversion.Convert(scratch["model"]);
        foreach (var (layer, head) in new[] { (0, 0), (1, 0), (1, 1) })
        {
            float Packed(string stack, int distance) =>
                System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(file.Bytes(file.Find($"{stack}layers.{layer}.attention.distance_bias"), (head * 81 + 40 + distance) * sizeof(float), sizeof(float)))[0];
            double Stored(string stack, int bucket) => tensors[$"{stack}.block.{layer}.layer.0.SelfAttention.relative_attention_bias.weight"][(bucket * 2) + head];
            foreach (var (distance, before, after, causal) in new[] { (0, 0, 0, 0), (1, 1, 17, 1), (7, 7, 23, 7), (8, 8, 24, 8), (12, 10, 26, 12), (15, 11, 27, 15), (16, 11, 27, 16), (40, 15, 31, 31) })
            {
                Assert.That(Packed("encoder.", -distance), Is.EqualTo((float)Stored("encoder", before)), $"{distance} before");
                Assert.That(Packed("encoder.", distance), Is.EqualTo((float)Stored("encoder", after)), $"{distance} after");
                Assert.That(Packed("", -distance), Is.EqualTo((float)Stored("decoder", causal)), $"{distance} before, causal");
                Assert.That(Packed("", distance), Is.EqualTo((float)Stored("decoder", 0)));
            }
        }
    }

    private static IEnumerable<(string Name, int[] Shape)> T5Tensors(string[] stacks, int layers)
    {
        yield return ("shared.weight", [61, 32]);
        foreach (var stack in stacks)
        {
            yield return ($"{stack}.final_layer_norm.weight", [32]);
            for (var i = 0; i < layers; i++)
            {
                string[] blocks = stack == "encoder" ? ["SelfAttention", "DenseReluDense"] : ["SelfAttention", "EncDecAttention", "DenseReluDense"];
                foreach (var (block, place) in blocks.Select((block, place) => (block, place)))
                {
                    var prefix = $"{stack}.block.{i}.layer.{place}.";
                    yield return (prefix + "layer_norm.weight", [32]);
                    foreach (var name in block == "DenseReluDense" ? "" : "qkvo")
                        yield return ($"{prefix}{block}.{name}.weight", [32, 32]);
                    if (block == "SelfAttention")
                        yield return ($"{prefix}{block}.relative_attention_bias.weight", [32, 2]);
                    if (block == "DenseReluDense")
                        yield return ($"{prefix}{block}.wi.weight", [40, 32]);
                    if (block == "DenseReluDense")
                        yield return ($"{prefix}{block}.wo.weight", [32, 40]);
                }
            }
        }
    }

    private static ModelDescription DescribeT5(string members) =>
        ConfigText.Describe("T5ForConditionalGeneration", $$"""{"d_model": 64, "num_heads": 4, "d_kv": 16, "d_ff": 96, "num_layers": 2, "num_decoder_layers": 3, {{members}}}""");

    private static JsonObject Config(ReferenceTranslator model) => new()
    {
        ["architectures"] = new JsonArray(model.Architecture),
        ["vocab_size"] = model.Vocabulary,
        ["d_model"] = model.Hidden,
        ["encoder_attention_heads"] = model.Heads.Encoder,
        ["decoder_attention_heads"] = model.Heads.Decoder,
        ["encoder_layers"] = model.Layers.Encoder,
        ["decoder_layers"] = model.Layers.Decoder,
        ["encoder_ffn_dim"] = model.Inner,
        ["decoder_ffn_dim"] = model.Inner,
        ["max_position_embeddings"] = 128,
        ["activation_function"] = model.Activation switch { Activation.Relu => "relu", Activation.Silu => "swish", _ => "gelu" },
        ["scale_embedding"] = model.Scaled,
        ["num_experts"] = model.Experts,
        ["encoder_sparse_step"] = model.SparseStep,
        ["decoder_sparse_step"] = model.SparseStep,
        ["moe_token_dropout"] = model.Dropout,
        ["decoder_start_token_id"] = 2,
        ["pad_token_id"] = 1,
        ["eos_token_id"] = 2,
    };
}

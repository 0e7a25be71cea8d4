using System.Text.Json.Nodes;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Tests.Support;
using Weft.Models;
using Weft.Reference;
using static Weft.Convert.Tests.Support.TwoLayouts;

namespace Weft.Convert.Tests.Families;

/// <summary>Checkpoints as their authors released them, before or beside transformers' own layout: the packed weights are the same.</summary>
[TestFixture]
public sealed class ReleasedLayoutTests
{
    [TestCase("language_model.model.", "model.language_model.", "", "model.")] // since transformers 4.52
    [TestCase("language_model.model.", "language_model.model.", "", "")]
    public void Gemmas_text_model_is_found_under_either_name_and_the_rest_is_left_out(string stored, string renamed, string otherStored, string otherPrefix)
    {
        var folder = Path.Combine(SharedData.Repository, "tests", "Checkpoints", "Gemma3ForConditionalGeneration");
        var tensors = Stored(Path.Combine(folder, "model.safetensors"));
        using var scratch = new ScratchFolder();
        using var whole = Written(scratch["whole"], Config(folder), tensors.Select(tensor => tensor with
        {
            Name = tensor.Name.StartsWith(stored, StringComparison.Ordinal) ? renamed + tensor.Name[stored.Length..] : otherPrefix + tensor.Name[otherStored.Length..],
        }));
        var text = (JsonObject)Config(folder)["text_config"]!.DeepClone();
        text["architectures"] = new JsonArray("Gemma3ForCausalLM");
        using var alone = Written(scratch["alone"], text, tensors.Where(tensor => tensor.Name.StartsWith(stored, StringComparison.Ordinal)).Select(tensor => tensor with { Name = "model." + tensor.Name[stored.Length..] }));
        Assert.That(Rows(whole), Is.EqualTo(Rows(alone)));
        Assert.That(whole.Header.Model.Layers.Select(layer => layer.Attention), Is.EqualTo(alone.Header.Model.Layers.Select(layer => layer.Attention)));
        Assert.That(whole.Header.Generation.EosTokens, Is.EqualTo(new[] { 2, 5 }), "those of the whole");
        Assert.That(Converter.Convert(new(scratch["whole"], scratch["again.weft"])).Warnings, Is.EqualTo(new[] { "only the text model is converted; left out: multi_modal_projector, vision_tower" }));
    }

    [Test]
    public void The_text_config_of_Gemma_leaves_out_what_transformers_has_by_default()
    {
        // Gemma 3 4B's.
        var model = ConfigText.DescribeAlone((JsonObject)JsonNode.Parse("""
            {"architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": 255999, "eoi_token_index": 256000, "eos_token_id": [1, 106], "image_token_index": 262144, "initializer_range": 0.02,
             "mm_tokens_per_image": 256, "model_type": "gemma3", "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
             "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}, "torch_dtype": "bfloat16",
             "vision_config": {"hidden_size": 1152, "image_size": 896, "intermediate_size": 4304, "model_type": "siglip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14}}
            """)!);
        var (local, global) = (model.Layers[0].Attention!, model.Layers[5].Attention!);
        Assert.That((model.VocabularySize, model.HiddenSize, model.Layers.Count, model.ContextLength, model.Head.Tied), Is.EqualTo((262208, 2560, 34, 131072, true)));
        Assert.That((local.QueryHeads, local.KeyValueHeads, local.HeadSize, local.Scale, local.Window, global.Window), Is.EqualTo((8, 4, 256, 0.0625f, (int?)1024, (int?)null)));
        Assert.That((local.Rotary!.Theta, local.Rotary.Scaling, global.Rotary!.Theta), Is.EqualTo((10000.0, (RotaryScaling?)null, 1_000_000.0)));
        Assert.That(global.Rotary.Scaling, Is.EqualTo(new RotaryScaling { Kind = RotaryScalingKind.Linear, Factor = 8 }));
    }

    [Test]
    public void Mistrals_text_model_is_its_familys_and_another_text_model_is_not()
    {
        const string Text = """ "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 320, "sliding_window": null """;
        JsonObject Config(string type) => (JsonObject)JsonNode.Parse($$"""
            {"architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3", "text_config": {"model_type": "{{type}}", {{Text}} }, "vision_config": {"model_type": "pixtral"} }
            """)!;
        var model = ConfigText.DescribeAlone(Config("mistral"));
        Assert.That((model.HiddenSize, model.Layers[0].Attention!.HeadSize, model.Layers[0].Attention!.Window, model.Head.Tied), Is.EqualTo((64, 32, (int?)null, false)));
        Assert.That(Conversion.Sentence(() => ConfigText.DescribeAlone(Config("ministral3"))), Does.Contain("'Mistral3ForConditionalGeneration' is not supported"));
    }

    [TestCase("{}", "{}", true)]
    [TestCase("\"state_size\": 6, \"time_step_rank\": 3, \"conv_kernel\": 3, \"expand\": 3", "{\"d_state\": 6, \"dt_rank\": 3, \"d_conv\": 3, \"expand\": 3, \"layer\": \"Mamba1\"}", false)]
    public void The_release_of_Mamba_is_its_port(string ported, string released, bool isTied)
    {
        const int Hidden = 16;
        var (state, rank, taps, width) = isTied ? (16, 1, 4, 32) : (6, 3, 3, 48);
        List<TinyTensor> tensors = [Random("backbone.embeddings.weight", 104, Hidden), Random("backbone.norm_f.weight", Hidden)];
        if (!isTied)
            tensors.Add(Random("lm_head.weight", 104, Hidden));
        for (var layer = 0; layer < 2; layer++)
        {
            void Add(string name, params int[] shape) => tensors.Add(Random($"backbone.layers.{layer}.{name}", shape));
            Add("norm.weight", Hidden);
            Add("mixer.A_log", width, state);
            Add("mixer.D", width);
            Add("mixer.in_proj.weight", 2 * width, Hidden);
            Add("mixer.conv1d.weight", width, 1, taps);
            Add("mixer.conv1d.bias", width);
            Add("mixer.x_proj.weight", rank + (2 * state), width);
            Add("mixer.dt_proj.weight", width, rank);
            Add("mixer.dt_proj.bias", width);
            Add("mixer.out_proj.weight", Hidden, width);
        }

        var tie = isTied ? "true" : "false";
        AreAlike(
            $$"""{"architectures": ["MambaForCausalLM"], "hidden_size": 16, "num_hidden_layers": 2, "vocab_size": 104, "tie_word_embeddings": {{tie}}{{(isTied ? "" : ", " + ported)}} }""",
            tensors,
            $$"""{"d_model": 16, "n_layer": 2, "vocab_size": 101, "ssm_cfg": {{released}}, "rms_norm": true, "residual_in_fp32": true, "fused_add_norm": true, "pad_vocab_size_multiple": 8{{(isTied ? "" : ", \"tie_embeddings\": false")}} }""",
            // The release stores the tied head as well.
            [.. tensors.Select(InRelease), .. isTied ? [tensors[0] with { Name = "lm_head.weight" }] : Array.Empty<TinyTensor>()]);
    }

    [TestCase("{\"layer\": \"Mamba2\"}", 128, 64, 1)]
    [TestCase("{\"layer\": \"Mamba2\", \"d_state\": 8, \"headdim\": 16, \"ngroups\": 2}", 8, 16, 2)]
    public void The_release_of_Mamba_2_is_its_port(string released, int state, int size, int groups)
    {
        const int Hidden = 32;
        const int Width = 2 * Hidden;
        var (heads, mixed) = (Width / size, Width + (2 * groups * state));
        List<TinyTensor> tensors = [Random("backbone.embeddings.weight", 112, Hidden), Random("backbone.norm_f.weight", Hidden)];
        for (var layer = 0; layer < 2; layer++)
        {
            void Add(string name, params int[] shape) => tensors.Add(Random($"backbone.layers.{layer}.{name}", shape));
            Add("norm.weight", Hidden);
            Add("mixer.A_log", heads);
            Add("mixer.D", heads);
            Add("mixer.dt_bias", heads);
            Add("mixer.in_proj.weight", Width + mixed + heads, Hidden);
            Add("mixer.conv1d.weight", mixed, 1, 4);
            Add("mixer.conv1d.bias", mixed);
            Add("mixer.norm.weight", Width);
            Add("mixer.out_proj.weight", Hidden, Width);
        }

        AreAlike(
            $$"""
            {"architectures": ["Mamba2ForCausalLM"], "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 112, "state_size": {{state}}, "head_dim": {{size}}, "num_heads": {{heads}}, "n_groups": {{groups}},
             "tie_word_embeddings": true}
            """,
            tensors,
            $$"""
            {"d_model": 32, "d_intermediate": 0, "n_layer": 2, "vocab_size": 97, "ssm_cfg": {{released}}, "attn_layer_idx": [], "attn_cfg": {}, "rms_norm": true, "residual_in_fp32": true, "fused_add_norm": true,
             "pad_vocab_size_multiple": 16, "tie_embeddings": true}
            """,
            [.. tensors.Select(InRelease)]);
    }

    [TestCase("\"ssm_cfg\": {\"layer\": \"Mamba2\"}, \"attn_layer_idx\": [1]", "attn_layer_idx")]
    [TestCase("\"ssm_cfg\": {}, \"rms_norm\": false", "rms_norm")]
    [TestCase("\"ssm_cfg\": {}, \"d_intermediate\": 64", "d_intermediate")]
    [TestCase("\"ssm_cfg\": {\"layer\": \"Mamba2\", \"headdim\": 24}", "heads of 24 channels")]
    [TestCase("\"ssm_cfg\": {\"layer\": \"Mamba3\"}", "architectures")]
    public void What_a_release_of_Mamba_asks_for_beyond_is_named(string members, string thing) => Assert.That(
        Conversion.Sentence(() => ConfigText.DescribeAlone((JsonObject)JsonNode.Parse($$"""{"d_model": 64, "n_layer": 2, "vocab_size": 320, {{members}} }""")!)), Does.Contain("config.json").And.Contain(thing));

    [TestCase("llama", "LlamaForCausalLM")]
    [TestCase("gpt2", "GPT2LMHeadModel")]
    [TestCase("gpt_neox", "GPTNeoXForCausalLM")]
    [TestCase("gemma3_text", "Gemma3ForCausalLM")]
    [TestCase("ernie4_5", "Ernie4_5ForCausalLM")]
    [TestCase("m2m_100", "M2M100ForConditionalGeneration")]
    [TestCase("deepseek_v3", "DeepseekV3ForCausalLM")]
    public void A_model_type_finds_the_family_where_no_architecture_is_named(string type, string architecture)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch["config.json"], $$"""{"model_type": "{{type}}"}""");
        Assert.That(FamilyCatalog.Find(FamilyCatalog.OpenConfig(scratch.Root)).Architecture, Is.EqualTo(architecture));
    }

    [Test]
    public void A_checkpoint_without_an_architecture_is_converted()
    {
        var checkpoint = new TinyCheckpoint { Config = { ["model_type"] = "llama" } };
        checkpoint.Config.Remove("architectures");
        Assert.That(Conversion.Header(checkpoint).Provenance.Architecture, Is.EqualTo("LlamaForCausalLM"));
    }

    private static TinyTensor InRelease(TinyTensor tensor) => tensor with { Name = tensor.Name.Replace("backbone.embeddings.", "backbone.embedding.", StringComparison.Ordinal) };

    private static List<TinyTensor> Stored(string path)
    {
        var bytes = File.ReadAllBytes(path);
        return [.. SafetensorsFile.Open(path).Tensors.Values.Select(tensor =>
            new TinyTensor(tensor.Name, "BF16", [.. tensor.Shape.Select(size => (int)size)], bytes[(int)tensor.Offset..(int)(tensor.Offset + tensor.ByteLength)]))];
    }

    private static JsonObject Config(string folder) => (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!;
}

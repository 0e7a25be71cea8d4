using System.Text;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;

namespace Weft.Convert.Tests;

/// <summary>A config.json that says nonsense, too little or too much.</summary>
[TestFixture]
public sealed class BadConfigTests
{
    [TestCase("")]
    [TestCase("{\"architectures\":")]
    [TestCase("[1]")]
    [TestCase("{\"hidden_size\":1,\"hidden_size\":2}")]
    [TestCase("{\"architectures\":[\"\\ud800\"]}")]
    public void What_is_no_json_object_is_refused(string text) => Assert.That(Replaced(Encoding.UTF8.GetBytes(text)), Does.Contain("config.json"));

    [Test]
    public void Bytes_that_are_no_text_are_refused() =>
        Assert.That(Replaced([.. "{\"architectures\":[\""u8, 0xFF, 0xFE, .. "\"]}"u8]), Does.Contain("config.json"));

    [Test]
    public void An_unknown_architecture_names_the_nearest()
    {
        var message = Refusal("architectures", "[\"QwenTwoForCausalLM\"]");
        Assert.That(message, Does.Contain("config.json").And.Contain("'QwenTwoForCausalLM'").And.Contain("Qwen2ForCausalLM"));
    }

    [TestCase("[]")]
    [TestCase("null")]
    public void No_architecture_is_refused(string value) =>
        Assert.That(Refusal("architectures", value), Does.Contain("config.json").And.Contain("architectures"));

    [TestCase("vocab_size")]
    [TestCase("hidden_size")]
    [TestCase("intermediate_size")]
    [TestCase("num_hidden_layers")]
    [TestCase("num_attention_heads")]
    public void A_missing_member_is_named(string name)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config.Remove(name);
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("config.json").And.Contain($"'{name}' is missing"));
    }

    [TestCase("architectures", "\"LlamaForCausalLM\"", "architectures")]
    [TestCase("hidden_size", "\"eight\"", "hidden_size")]
    [TestCase("hidden_size", "8.5", "hidden_size")]
    [TestCase("hidden_size", "1e400", "hidden_size")]
    [TestCase("hidden_size", "-8", "the hidden size is -8, but must be positive")]
    [TestCase("hidden_size", "9", "attention heads")]
    [TestCase("hidden_size", "[8]", "hidden_size")]
    [TestCase("num_attention_heads", "0", "attention heads")]
    [TestCase("num_key_value_heads", "3", "key/value heads")]
    [TestCase("num_hidden_layers", "-1", "num_hidden_layers")]
    [TestCase("num_hidden_layers", "0", "num_hidden_layers")]
    [TestCase("num_hidden_layers", "2000000000", "num_hidden_layers")]
    [TestCase("head_dim", "-4", "head")]
    [TestCase("head_dim", "2000000000", "heads")]
    [TestCase("vocab_size", "0", "the vocabulary size is 0, but must be positive")]
    [TestCase("max_position_embeddings", "-1", "the context length is -1, but must be positive")]
    [TestCase("intermediate_size", "0", "the feed-forward size is 0, but must be positive")]
    [TestCase("rms_norm_eps", "\"small\"", "rms_norm_eps")]
    [TestCase("rms_norm_eps", "-1", "a norm's epsilon is -1, but must be positive")]
    [TestCase("rms_norm_eps", "0", "a norm's epsilon is 0, but must be positive")]
    [TestCase("rms_norm_eps", "1e-60", "a norm's epsilon is 0, but must be positive")]
    [TestCase("rope_theta", "0", "rotary")]
    [TestCase("rope_theta", "1e400", "rotary")]
    [TestCase("tie_word_embeddings", "\"no\"", "tie_word_embeddings")]
    [TestCase("hidden_act", "\"mish\"", "mish")]
    [TestCase("hidden_act", "7", "hidden_act")]
    [TestCase("rope_scaling", "\"linear\"", "rope_scaling")]
    [TestCase("rope_scaling", "{\"type\":\"spiral\",\"factor\":2}", "spiral")]
    [TestCase("rope_scaling", "{\"type\":\"linear\"}", "rope_scaling.factor")]
    [TestCase("rope_scaling", "{\"type\":\"linear\",\"factor\":-2}", "the rotary scaling factor is -2, but must be positive")]
    [TestCase("rope_scaling", "{\"type\":\"llama3\",\"factor\":2,\"low_freq_factor\":1,\"high_freq_factor\":1e400}", "high frequency factor < infinity")]
    [TestCase("rope_scaling", "{\"type\":\"yarn\",\"factor\":2,\"beta_fast\":1e400}", "beta fast < infinity")]
    [TestCase("eos_token_id", "\"end\"", "eos_token_id")]
    [TestCase("eos_token_id", "[1,\"end\"]", "eos_token_id")]
    public void A_wrong_value_is_named(string name, string value, string thing) =>
        Assert.That(Refusal(name, value), Does.Contain("config.json").And.Contain(thing));

    [TestCase("generation_config.json", "{")]
    [TestCase("generation_config.json", "{\"eos_token_id\":\"end\"}")]
    [TestCase("generation_config.json", "{\"do_sample\":true,\"temperature\":\"hot\"}")]
    [TestCase("tokenizer_config.json", "{\"chat_template\":")]
    [TestCase("tokenizer_config.json", "{\"chat_template\":\"\\ud800\"}")]
    [TestCase("tokenizer.json", "{\"model\":")]
    [TestCase("tokenizer.json", "{}")]
    [TestCase("tokenizer.model", "no protobuf")]
    public void A_bad_file_beside_it_is_named(string name, string text)
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        File.WriteAllText(Path.Combine(scratch["model"], name), text);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain(name));
    }

    private static string Refusal(string name, string value)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config[name] = JsonNode.Parse(value);
        return Conversion.Refusal(checkpoint);
    }

    private static string Replaced(byte[] config)
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        File.WriteAllBytes(Path.Combine(scratch["model"], "config.json"), config);
        return Conversion.Refusal(scratch["model"]);
    }
}

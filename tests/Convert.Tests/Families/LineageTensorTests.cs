using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Weights;

namespace Weft.Convert.Tests.Families;

/// <summary>LLaMA's relatives for which there is no reference checkpoint: where their tensors' numbers go.</summary>
[TestFixture]
public sealed class LineageTensorTests
{
    private const int RowBytes = 2 * TinyCheckpoint.Hidden;

    [Test]
    public void InternLm2_keeps_the_queries_of_a_group_with_its_key_and_value()
    {
        var llama = Conversion.Header(WithFourHeads());
        var checkpoint = WithFourHeads();
        checkpoint.Config["architectures"] = new JsonArray("InternLM2ForCausalLM");
        checkpoint.Config["bias"] = false;
        for (var layer = 0; layer < TinyCheckpoint.Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.self_attn.";
            var (q, k, v) = (checkpoint[prefix + "q_proj.weight"], checkpoint[prefix + "k_proj.weight"], checkpoint[prefix + "v_proj.weight"]);
            byte[] fused = [.. Rows(q, 0, 4), .. Rows(k, 0, 2), .. Rows(v, 0, 2), .. Rows(q, 4, 8), .. Rows(k, 2, 4), .. Rows(v, 2, 4)];
            foreach (var part in new[] { q, k, v })
                checkpoint.Tensors.Remove(part);
            checkpoint.Tensors.Add(new($"model.layers.{layer}.attention.wqkv.weight", "BF16", [16, TinyCheckpoint.Hidden], fused));
        }

        (string Llama, string Other)[] names =
        [
            ("model.embed_tokens", "model.tok_embeddings"), ("lm_head", "output"), ("input_layernorm", "attention_norm"), ("post_attention_layernorm", "ffn_norm"),
            ("self_attn.o_proj", "attention.wo"), ("mlp.gate_proj", "feed_forward.w1"), ("mlp.up_proj", "feed_forward.w3"), ("mlp.down_proj", "feed_forward.w2"),
        ];
        checkpoint.Rename(name => names.Aggregate(name, (known, pair) => known.Replace(pair.Llama, pair.Other, StringComparison.Ordinal)));
        Assert.That(Numbers(Conversion.Header(checkpoint)), Is.EqualTo(Numbers(llama)));
    }

    [Test]
    public void Olmo_is_Llama_without_the_norms_weights([Values] bool prefixed)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config["architectures"] = new JsonArray("OlmoForCausalLM");
        checkpoint.Tensors.RemoveAll(tensor => tensor.Name.Contains("norm", StringComparison.Ordinal));
        if (!prefixed)
            checkpoint.Rename(name => name.Replace("model.", "", StringComparison.Ordinal));
        checkpoint.Tensors.Add(TinyTensor.Random("model.layers.0.self_attn.rotary_emb.inv_freq", [2], 1));
        var llama = Numbers(Conversion.Header(new TinyCheckpoint())).Where(tensor => !tensor.Name.Contains("norm", StringComparison.Ordinal));
        Assert.That(Numbers(Conversion.Header(checkpoint)), Is.EqualTo(llama));
    }

    [Test]
    public void Cohere_brings_neighbours_of_weights_and_norms_into_halves()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config["architectures"] = new JsonArray("CohereForCausalLM");
        checkpoint.Config["use_qk_norm"] = true;
        checkpoint.Tensors.RemoveAll(tensor => tensor.Name.Contains("post_attention", StringComparison.Ordinal));
        foreach (var layer in Enumerable.Range(0, TinyCheckpoint.Layers))
        {
            var (next, prefix) = (0, $"model.layers.{layer}.self_attn.");
            checkpoint.Tensors.Add(TinyTensor.Of(prefix + "q_norm.weight", [2, 4], () => next++));
            checkpoint.Tensors.Add(TinyTensor.Of(prefix + "k_norm.weight", [1, 4], () => next++));
            // Each row holds its own number.
            var element = 0;
            checkpoint.Replace(prefix + "q_proj.weight", rows => TinyTensor.Of(rows.Name, rows.Shape, () => element++ / TinyCheckpoint.Hidden));
        }

        using var scratch = new ScratchFolder();
        checkpoint.Write(scratch["model"]);
        using var file = Conversion.Convert(scratch["model"], Tensors.DataType.Float32);
        Assert.That(Singles(file, "layers.1.attention.query_norm.weight"), Is.EqualTo(new float[] { 0, 2, 1, 3, 4, 6, 5, 7 }));
        Assert.That(Singles(file, "layers.1.attention.key_norm.weight"), Is.EqualTo(new float[] { 8, 10, 9, 11 }));
        Assert.That(
            Singles(file, "layers.1.attention.query.weight").Chunk(TinyCheckpoint.Hidden).Select(row => row[0]), Is.EqualTo(new float[] { 0, 2, 1, 3, 4, 6, 5, 7 }));
    }

    [TestCase("self_attn.qkv_proj", 17, "self_attn.qkv_proj")]
    [TestCase("self_attn.qkv_proj", 15, "self_attn.qkv_proj")]
    [TestCase("mlp.gate_up_proj", 25, "mlp.gate_up_proj")]
    public void A_fused_matrix_of_another_height_is_refused(string module, int rows, string named)
    {
        var checkpoint = new TinyCheckpoint { Config = { ["architectures"] = new JsonArray("Phi3ForCausalLM") } };
        string[] parts = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"];
        checkpoint.Tensors.RemoveAll(tensor => parts.Any(tensor.Name.Contains));
        foreach (var layer in Enumerable.Range(0, TinyCheckpoint.Layers))
        {
            foreach (var (name, count) in new[] { ("self_attn.qkv_proj", 16), ("mlp.gate_up_proj", 24) })
                checkpoint.Tensors.Add(TinyTensor.Random($"model.layers.{layer}.{name}.weight", [name == module ? rows : count, TinyCheckpoint.Hidden], layer));
        }

        Assert.That(Conversion.Refusal(checkpoint), Does.Contain(named).And.Contain("rows"));
    }

    [Test]
    public void Baichuan2_stores_one_over_the_length_of_each_row_of_the_head()
    {
        var checkpoint = new TinyCheckpoint { Config = { ["architectures"] = new JsonArray("BaichuanForCausalLM"), ["z_loss_weight"] = 0, ["num_key_value_heads"] = 2 } };
        string[] parts = ["q_proj", "k_proj", "v_proj"];
        checkpoint.Tensors.RemoveAll(tensor => parts.Any(tensor.Name.Contains));
        foreach (var layer in Enumerable.Range(0, TinyCheckpoint.Layers))
            checkpoint.Tensors.Add(TinyTensor.Random($"model.layers.{layer}.self_attn.W_pack.weight", [24, TinyCheckpoint.Hidden], layer));
        var element = 0;
        checkpoint.Replace("lm_head.weight", head => TinyTensor.Of(head.Name, head.Shape, () => (element++ / TinyCheckpoint.Hidden) + 1));
        using var scratch = new ScratchFolder();
        checkpoint.Write(scratch["model"]);
        using var file = Conversion.Convert(scratch["model"]);
        var expected = Enumerable.Range(1, TinyCheckpoint.Vocabulary).Select(row => (float)(1 / (row * Math.Sqrt(TinyCheckpoint.Hidden))));
        Assert.That(Singles(file, "head.row_scale"), Is.EqualTo(expected).Within(1e-7));
    }

    private static TinyCheckpoint WithFourHeads() => new() { Config = { ["num_attention_heads"] = 4, ["num_key_value_heads"] = 2, ["rms_norm_eps"] = 1e-6 } };

    private static byte[] Rows(TinyTensor tensor, int first, int last) => tensor.Bytes[(first * RowBytes)..(last * RowBytes)];

    private static IEnumerable<(string Name, uint Checksum)> Numbers(WeftHeader header) => header.Tensors.Select(tensor => (tensor.Name, tensor.Checksum));

    private static float[] Singles(WeftFile file, string name)
    {
        var tensor = file.Header.Tensors.Single(entry => entry.Name == name);
        return MemoryMarshal.Cast<byte, float>(file.Bytes(tensor, 0, (int)tensor.Length)).ToArray();
    }
}

using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Sources;
using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Tests;

/// <summary>GGUF files: reference checkpoints, written as llama.cpp's converter writes them, become the same models; and files that are not what they should be.</summary>
[TestFixture]
public sealed partial class GgufTests
{
    private const uint F32 = 0;
    private const uint Q40 = 2;
    private const uint Q80 = 8;

    // Names of modules in the order in which they are tried.
    private static readonly (string HuggingFace, string Gguf)[] Modules =
    [
        ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"), ("input_layernorm", "attn_norm"),
        ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"), ("self_attn.qkv_proj", "attn_qkv"), ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"), ("pre_feedforward_layernorm", "ffn_norm"), ("post_feedforward_layernorm", "post_ffw_norm"),
        ("mlp.gate_up_proj", "ffn_up"), ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
        ("mlp.shared_expert_gate", "ffn_gate_inp_shexp"), ("mlp.shared_expert.gate_proj", "ffn_gate_shexp"), ("mlp.shared_expert.up_proj", "ffn_up_shexp"),
        ("mlp.shared_expert.down_proj", "ffn_down_shexp"), ("block_sparse_moe.gate", "ffn_gate_inp"), ("mlp.gate", "ffn_gate_inp"),
    ];

    [TestCase("llama2-gqa", "llama")]
    [TestCase("mixtral", "llama")]
    [TestCase("qwen2", "qwen2")]
    [TestCase("qwen3", "qwen3")]
    [TestCase("qwen2-moe", "qwen2moe")]
    [TestCase("qwen3-moe", "qwen3moe")]
    [TestCase("phi3", "phi3")]
    [TestCase("gemma", "gemma")]
    [TestCase("gemma2", "gemma2")]
    public void A_checkpoint_becomes_the_same_model(string golden, string architecture)
    {
        using var scratch = new ScratchFolder();
        var folder = Golden(golden);
        var (metadata, tensors) = Describe(folder, architecture);
        File.WriteAllBytes(scratch["model.gguf"], GgufBytes.Write(metadata, tensors));
        Converter.Convert(new(folder, scratch["a.weft"], DataType.Float32));
        Converter.Convert(new(scratch["model.gguf"], scratch["b.weft"], DataType.Float32));
        using var expected = WeftFile.Open(scratch["a.weft"]);
        using var actual = WeftFile.Open(scratch["b.weft"]);
        Assert.That(JsonSerializer.Serialize(actual.Header.Model), Is.EqualTo(JsonSerializer.Serialize(expected.Header.Model)));
        Assert.That(actual.Header.Tensors, Is.EqualTo(expected.Header.Tensors).Using<TensorEntry>((a, b) => (a.Name, a.DataType, a.Length, a.Checksum) == (b.Name, b.DataType, b.Length, b.Checksum)));
        Assert.That(actual.Header.Generation.EosTokens, Is.EqualTo(new[] { 2 }));
        Assert.That(actual.Header.ChatTemplate, Is.EqualTo("{{ messages }}"));
    }

    /// <summary>Llama 3's scaling and Phi-3's two lists are tensors there.</summary>
    [Test]
    public void Divisors_of_rotary_frequencies_are_read()
    {
        using var scratch = new ScratchFolder();
        var (metadata, tensors) = Describe(Golden("llama2-gqa"), "llama");
        float[] divisors = [.. Enumerable.Range(0, 32).Select(i => 1 + (i / 8f))];
        tensors.Add(Numbers("rope_freqs.weight", [32], divisors));
        var scaling = Model(scratch, metadata, tensors).Layers[0].Attention!.Rotary!.Scaling!;
        Assert.That(scaling.Divisors, Is.EqualTo(divisors.Select(divisor => (double)divisor)));
        Assert.That((scaling.LongDivisors, scaling.AttentionFactor), Is.EqualTo(((IReadOnlyList<double>?)null, 1.0)));
    }

    /// <summary>What has a counterpart in the packed file keeps its codes: the same numbers come out.</summary>
    [TestCase(Q40, 18, DataType.Int4)]
    [TestCase(Q80, 34, DataType.Int8)]
    public void Codes_with_a_scale_for_32_stay_codes(uint type, int blockBytes, DataType packed)
    {
        using var scratch = new ScratchFolder();
        var (metadata, tensors) = Describe(Golden("mixtral"), "llama");
        var random = new Random(5);
        for (var i = 0; i < tensors.Count; i++)
        {
            if (tensors[i].Shape.Length < 2 || tensors[i].Name.Contains("gate_inp", StringComparison.Ordinal))
                continue;
            var blocks = tensors[i].Shape.Aggregate(1, (product, size) => product * size) / 32;
            var bytes = new byte[blocks * blockBytes];
            random.NextBytes(bytes);
            for (var block = 0; block < blocks; block++)
                BitConverter.TryWriteBytes(bytes.AsSpan(block * blockBytes), (Half)((random.NextSingle() - 0.5f) / 64));
            tensors[i] = tensors[i] with { Type = type, Bytes = bytes };
        }

        File.WriteAllBytes(scratch["model.gguf"], GgufBytes.Write(metadata, tensors));
        Converter.Convert(new(scratch["model.gguf"], scratch["a.weft"]));
        using var file = WeftFile.Open(scratch["a.weft"]);
        var source = CheckpointSource.Open(scratch["model.gguf"]);
        var shelf = new TensorShelf(source.OpenWeights().Tensors, null, source.Config);
        foreach (var tensor in file.Header.Tensors.Where(tensor => tensor.Shape.Count == 2))
        {
            var isCodes = tensor.Name.StartsWith("layers.", StringComparison.Ordinal) && !tensor.Name.Contains("router", StringComparison.Ordinal);
            Assert.That(tensor.DataType, Is.EqualTo(isCodes ? packed : tensor.Name.Contains("router", StringComparison.Ordinal) ? DataType.Float32 : DataType.Float16), tensor.Name);
            if (!isCodes)
                continue;
            var requirement = Models.TensorSchema.Of(file.Header.Model).Single(required => required.Name == tensor.Name);
            using var reader = new TensorReader();
            var numbers = reader.Read(new(tensor.Name, tensor.Shape, DataType.Float32, source.Family.Source(requirement, file.Header.Model, shelf)))
                .SelectMany(piece => MemoryMarshal.Cast<byte, float>(piece.Bytes.Span).ToArray()).ToArray();
            Assert.That(PackedWeights.Read(file, tensor).Cast<double>(), Is.EqualTo(numbers.Select(number => (double)number)), tensor.Name);
        }
    }

    [Test]
    public void Parts_of_a_file_are_one_model()
    {
        using var scratch = new ScratchFolder();
        var (metadata, tensors) = Describe(Golden("qwen3"), "qwen3");
        metadata.Add(("split.count", 2));
        var half = tensors.Count / 2;
        File.WriteAllBytes(scratch["m-00001-of-00002.gguf"], GgufBytes.Write(metadata, tensors[..half]));
        Assert.That(Conversion.Refusal(scratch["m-00001-of-00002.gguf"]), Does.Contain("m-00002-of-00002.gguf: this file does not exist"));
        File.WriteAllBytes(scratch["m-00002-of-00002.gguf"], GgufBytes.Write(metadata, tensors[half..]));
        Converter.Convert(new(scratch["m-00001-of-00002.gguf"], scratch["a.weft"]));
        Assert.That(Conversion.Refusal(scratch["m-00002-of-00002.gguf"]), Does.Contain("this is one of 2 files; give the first, m-00001-of-00002.gguf"));
    }

    [TestCase("general.architecture", "banana", "GGUF files of the architecture 'banana' are not read; those of gemma")]
    [TestCase("llama.block_count", 0, "'num_hidden_layers' must be from 1 to")]
    [TestCase("llama.attention.head_count_kv", new[] { 1, 2 }, "'llama.attention.head_count_kv' differs from layer to layer")]
    [TestCase("llama.rope.scaling.type", "banana", "the rotary scaling 'banana' is not supported; supported are linear, yarn")]
    [TestCase("llama.feed_forward_length", 100, "asks for [100, 256] (intermediate_size 100)")]
    public void Metadata_that_make_no_sense_are_refused(string key, object value, string message)
    {
        using var scratch = new ScratchFolder();
        var (metadata, tensors) = Describe(Golden("llama2-gqa"), "llama");
        metadata.RemoveAll(pair => pair.Key == key);
        metadata.Add((key, value));
        Assert.That(Refusal(scratch, metadata, tensors), Does.Contain(message).And.Contain("model.gguf"));
    }

    [TestCase("banana.weight", 8, 32, F32, "tensor 'banana.weight' is not one that GGUF files of the architecture 'llama' have")]
    [TestCase("blk.0.ffn_up.weight", 8, 32, 16u, "is of ggml's type 16, which is not read; F32, F16, BF16, Q4_0")]
    [TestCase("blk.0.ffn_up.weight", 8, 48, Q40, "has 48 columns, which are no whole blocks of 32 of Q4_0")]
    [TestCase("blk.0.ffn_up.weight", 1_000_000_000, 1_000_000_000, F32, "has an impossible shape")]
    [TestCase("blk.0.ffn_up.weight", 1_000_000, 1024, F32, "lies outside the file, as in one that was not downloaded whole")]
    [TestCase("blk.9.ffn_up.weight", 8, 32, F32, "tensor 'model.layers.9.mlp.up_proj.weight' is not part of this architecture")]
    [TestCase("blk.0.ffn_up_exps.weight", 8, 32, F32, "but [experts, rows, columns] is expected")]
    public void Tensors_that_make_no_sense_are_refused(string name, int rows, int columns, uint type, string message)
    {
        using var scratch = new ScratchFolder();
        var (metadata, tensors) = Describe(Golden("llama2-gqa"), "llama");
        tensors.RemoveAll(tensor => tensor.Name == name);
        tensors.Add(new(name, [rows, columns], type, new byte[8 * 32 * 4]));
        Assert.That(Refusal(scratch, metadata, tensors), Does.Contain(message).And.Contain("model.gguf"));
    }

    [Test]
    public void A_missing_tensor_and_a_number_that_is_none_are_named()
    {
        using var scratch = new ScratchFolder();
        var (metadata, tensors) = Describe(Golden("llama2-gqa"), "llama");
        var without = tensors.Where(tensor => tensor.Name != "blk.1.attn_k.weight").ToList();
        Assert.That(Refusal(scratch, metadata, without), Does.Contain("tensor 'model.layers.1.self_attn.k_proj.weight' is missing"));
        var place = tensors.FindIndex(tensor => tensor.Name == "blk.1.attn_k.weight");
        var bytes = new byte[tensors[place].Bytes.Length / 128 * 18];
        BitConverter.TryWriteBytes(bytes.AsSpan(18 * 3), Half.NaN);
        tensors[place] = tensors[place] with { Type = Q40, Bytes = bytes };
        Assert.That(Refusal(scratch, metadata, tensors), Does.Contain("tensor 'model.layers.1.self_attn.k_proj.weight' holds a scale of NaN"));
    }

    [Test]
    public void A_token_beyond_the_vocabulary_is_refused_unless_it_only_fills_up()
    {
        using var scratch = new ScratchFolder();
        var (metadata, tensors) = Describe(Golden("llama2-gqa"), "llama");
        Assert.That(Refusal(scratch, [.. metadata.Where(pair => pair.Key != "tokenizer.ggml.eos_token_id"), ("tokenizer.ggml.eos_token_id", 320)], tensors),
            Does.Contain("model.gguf: 'tokenizer.ggml.eos_token_id' is 320, but the vocabulary has 320 tokens"));
        File.WriteAllBytes(scratch["model.gguf"], GgufBytes.Write([.. metadata, ("tokenizer.ggml.padding_token_id", 320)], tensors));
        Converter.Convert(new(scratch["model.gguf"], scratch["model.weft"]));
        using var file = WeftFile.Open(scratch["model.weft"]);
        Assert.That(file.Header.Generation.PadToken, Is.Null);
    }

    [Test]
    public void A_file_may_be_a_link_to_another()
    {
        using var scratch = new ScratchFolder();
        var (metadata, tensors) = Describe(Golden("qwen3"), "qwen3");
        File.WriteAllBytes(scratch["blob"], GgufBytes.Write(metadata, tensors));
        File.CreateSymbolicLink(scratch["model.gguf"], "blob");
        Converter.Convert(new(scratch["model.gguf"], scratch["model.weft"]));
        using var file = WeftFile.Open(scratch["model.weft"]);
        Assert.That(file.Header.Provenance.Sources.Select(source => source.Bytes), Is.EqualTo(new[] { new FileInfo(scratch["blob"]).Length }));
    }

    [Test]
    public void A_file_that_ends_early_is_refused()
    {
        using var scratch = new ScratchFolder();
        var (metadata, tensors) = Describe(Golden("qwen3"), "qwen3");
        var bytes = GgufBytes.Write(metadata, tensors);
        foreach (var length in new[] { 4, 8, 20, 300, 2000, bytes.Length / 2, bytes.Length - 4096 })
        {
            File.WriteAllBytes(scratch["model.gguf"], bytes[..length]);
            Assert.That(Conversion.Refusal(scratch["model.gguf"]), Does.Contain("model.gguf: ").And.Match("ends inside its directory|lies outside the file"), $"{length} bytes");
        }
    }

    private static string Golden(string name)
    {
        if (SharedData.TryFind($"goldens/{name}") is { } folder)
            return folder;
        Assert.Ignore("the shared goldens are not beside the repository");
        return "";
    }

    private static string Refusal(ScratchFolder scratch, List<(string Key, object Value)> metadata, List<GgufTensorBytes> tensors)
    {
        File.WriteAllBytes(scratch["model.gguf"], GgufBytes.Write(metadata, tensors));
        return Conversion.Refusal(scratch["model.gguf"]);
    }

    private static Models.ModelDescription Model(ScratchFolder scratch, List<(string Key, object Value)> metadata, List<GgufTensorBytes> tensors)
    {
        File.WriteAllBytes(scratch["model.gguf"], GgufBytes.Write(metadata, tensors));
        var source = CheckpointSource.Open(scratch["model.gguf"]);
        return source.Family.Describe(source.Config);
    }

    /// <summary>What llama.cpp's converter makes of a checkpoint, in F32.</summary>
    private static (List<(string Key, object Value)> Metadata, List<GgufTensorBytes> Tensors) Describe(string folder, string architecture)
    {
        var config = ConfigFile.Open(Path.Combine(folder, "config.json"));
        var heads = config.Int("num_attention_heads");
        var headSize = config.Int("head_dim", config.Int("hidden_size") / heads);
        List<(string Key, object Value)> metadata = [("general.architecture", architecture), ("tokenizer.ggml.eos_token_id", 2), ("tokenizer.chat_template", "{{ messages }}")];
        void Add(string key, string member)
        {
            if (config.Has(member))
                metadata.Add(($"{architecture}.{key}", config.Double(member) is var number && number == Math.Floor(number) && !member.EndsWith("softcapping", StringComparison.Ordinal) ? (object)(int)number : (float)number));
        }

        foreach (var (key, member) in ((string, string)[])[
            ("embedding_length", "hidden_size"), ("block_count", "num_hidden_layers"), ("attention.head_count", "num_attention_heads"), ("attention.head_count_kv", "num_key_value_heads"),
            ("feed_forward_length", "intermediate_size"), ("attention.layer_norm_rms_epsilon", "rms_norm_eps"), ("context_length", "max_position_embeddings"), ("rope.freq_base", "rope_theta"),
            ("expert_count", "num_local_experts"), ("expert_count", "num_experts"), ("expert_used_count", "num_experts_per_tok"), ("expert_feed_forward_length", "moe_intermediate_size"),
            ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"), ("attn_logit_softcapping", "attn_logit_softcapping"), ("final_logit_softcapping", "final_logit_softcapping")])
            Add(key, member);
        if (architecture is "gemma2" or "phi3")
            metadata.Add(($"{architecture}.attention.sliding_window", config.Has("sliding_window") ? config.Int("sliding_window") : 0));
        if (!config.Has("rope_theta") && RotaryConfig.Parameters(config) is { } rotary)
            metadata.Add(($"{architecture}.rope.freq_base", (float)rotary.Double("rope_theta")));
        metadata.Add(($"{architecture}.attention.key_length", headSize));

        var tensors = new List<GgufTensorBytes>();
        var experts = new SortedDictionary<string, List<(int Expert, StoredTensor Tensor)>>(StringComparer.Ordinal);
        foreach (var tensor in Checkpoint.Open(folder).Tensors.Values.Where(tensor => !(tensor.Name == "lm_head.weight" && config.Bool("tie_word_embeddings", architecture.StartsWith("gemma", StringComparison.Ordinal)))))
        {
            if (Expert().Match(tensor.Name) is { Success: true } expert)
            {
                var module = expert.Groups["module"].Value switch { "gate_proj" or "w1" => "gate", "up_proj" or "w3" => "up", _ => "down" };
                var name = $"blk.{expert.Groups["layer"].Value}.ffn_{module}_exps.weight";
                if (!experts.TryGetValue(name, out var all))
                    experts.Add(name, all = []);
                all.Add((int.Parse(expert.Groups["expert"].Value, CultureInfo.InvariantCulture), tensor));
                continue;
            }

            tensors.Add(Numbers(Renamed(tensor.Name, architecture), [.. tensor.Shape.Select(size => (int)size)], Values(tensor, architecture, headSize)));
        }

        foreach (var (name, all) in experts)
        {
            var ordered = all.OrderBy(one => one.Expert).Select(one => one.Tensor).ToList();
            tensors.Add(Numbers(name, [ordered.Count, .. ordered[0].Shape.Select(size => (int)size)], [.. ordered.SelectMany(one => Values(one, "", 0))]));
        }

        return (metadata, tensors);
    }

    private static float[] Values(StoredTensor tensor, string architecture, int headSize)
    {
        using var reader = new TensorReader();
        var values = reader.Read(new(tensor.Name, [], DataType.Float32, new TensorSource(tensor))).SelectMany(piece => MemoryMarshal.Cast<byte, float>(piece.Bytes.Span).ToArray()).ToArray();
        if (architecture.StartsWith("gemma", StringComparison.Ordinal) && tensor.Name.EndsWith("norm.weight", StringComparison.Ordinal))
            return [.. values.Select(value => 1 + value)];
        if (architecture != "llama" || !(tensor.Name.Contains("q_proj", StringComparison.Ordinal) || tensor.Name.Contains("k_proj", StringComparison.Ordinal)))
            return values;
        // Row i of a head's first half and row i of its second become neighbours.
        var width = values.Length / (int)tensor.Shape[0];
        var rows = Enumerable.Range(0, (int)tensor.Shape[0]).Select(row => (row / headSize * headSize) + (row % headSize / 2) + (row % 2 * (headSize / 2)));
        return [.. rows.SelectMany(row => values[(row * width)..((row + 1) * width)])];
    }

    private static string Renamed(string name, string architecture)
    {
        if (architecture is "gemma2" && name.Contains("post_attention_layernorm", StringComparison.Ordinal))
            return Layer().Replace(name, "blk.").Replace("post_attention_layernorm", "post_attention_norm", StringComparison.Ordinal);
        var (huggingFace, gguf) = Modules.Append(("post_attention_layernorm", "ffn_norm")).First(module => name.Contains(module.Item1 + ".", StringComparison.Ordinal));
        return Layer().Replace(name, "blk.").Replace(huggingFace, gguf, StringComparison.Ordinal);
    }

    private static GgufTensorBytes Numbers(string name, int[] shape, float[] values) => new(name, shape, F32, MemoryMarshal.AsBytes(values.AsSpan()).ToArray());

    [GeneratedRegex(@"^model\.layers\.(?<layer>\d+)\.(mlp|block_sparse_moe)\.experts\.(?<expert>\d+)\.(?<module>\w+)\.weight$")]
    private static partial Regex Expert();

    [GeneratedRegex(@"^model\.layers\.")]
    private static partial Regex Layer();
}

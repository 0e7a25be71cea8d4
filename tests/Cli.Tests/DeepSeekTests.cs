using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Cli.Tests;

/// <summary>DeepSeek's routings, temperatures and query projections that no reference checkpoint has: random checkpoints against the plain definition.</summary>
[TestFixture]
public sealed class DeepSeekTests
{
    private static readonly Dictionary<string, ReferenceDeepSeek> Models = new()
    {
        ["V3"] = new() { Routing = "noaux_tc", Normalized = true, Scale = 2.5, Temperature = (1, 0.6) },
        ["V3, one group"] = new() { Routing = "noaux_tc", Groups = 1, ActiveGroups = 1, QueryRank = null, FirstMixture = 2 },
        ["V2"] = new() { Routing = "group_limited_greedy", Scale = 1.6, Temperature = (0.707, 0.707) },
        ["V2-Lite"] = new() { Routing = "greedy", QueryRank = null, FirstMixture = 0, Shared = 1 },
        ["V2, normalized"] = new() { Routing = "group_limited_greedy", Scale = 3, Normalized = true },
    };

    [Test]
    public void A_random_checkpoint_matches_the_definition([ValueSource(nameof(Names))] string name)
    {
        var folder = Write(Models[name]);
        foreach (var (cache, tolerance) in new[] { ("f32", "1e-5"), ("f16", "2e-3") })
        {
            var outcome = WeftProcess.Run("verify", folder, "--device", "cpu", "--cache", cache, "--tolerance", tolerance);
            Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        }
    }

    private static IEnumerable<string> Names => Models.Keys;

    private static string Write(ReferenceDeepSeek model)
    {
        var folder = Directory.CreateDirectory(TestModels.NewPath()).FullName;
        File.WriteAllText(Path.Combine(folder, "config.json"), Config(model).ToJsonString());
        var random = new Random(7);
        var (rows, bytes, values) = (new List<SafetensorsWriter.Row>(), new List<byte[]>(), new Dictionary<string, double[]>());
        foreach (var (name, shape) in Tensors(model))
        {
            var isBias = name.EndsWith("bias", StringComparison.Ordinal);
            var type = isBias ? DataType.Float32 : DataType.BFloat16;
            var (mean, spread) = isBias ? (0, 0.3) : shape.Length == 1 ? (1, 0.2) : (0, 1.2 / Math.Sqrt(shape[^1]));
            var (stored, exact) = TinyModel.Encode(Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => mean + (spread * TinyModel.Normal(random))), type);
            rows.Add(new(name, isBias ? "F32" : "BF16", shape, stored.Length));
            bytes.Add(stored);
            values[name] = exact;
        }

        WriteFile(Path.Combine(folder, "model.safetensors"), rows, bytes);
        var prompt = Enumerable.Range(0, 90).Select(_ => random.Next(model.Vocabulary)).ToArray();
        var logits = Array.ConvertAll(model.Logits(values, prompt), x => (float)x);
        WriteFile(
            Path.Combine(folder, "expected.safetensors"),
            [new("prompt_ids", "I64", [prompt.Length], prompt.Length * sizeof(long)), new("logits", "F32", [prompt.Length, model.Vocabulary], logits.Length * sizeof(float))],
            [MemoryMarshal.AsBytes(Array.ConvertAll(prompt, id => (long)id).AsSpan()).ToArray(), MemoryMarshal.AsBytes(logits.AsSpan()).ToArray()]);
        return folder;
    }

    private static void WriteFile(string path, List<SafetensorsWriter.Row> rows, List<byte[]> bytes)
    {
        using var file = File.Create(path);
        SafetensorsWriter.WriteHeader(file, rows);
        bytes.ForEach(piece => file.Write(piece));
    }

    private static JsonObject Config(ReferenceDeepSeek model) => new()
    {
        ["architectures"] = new JsonArray(model.IsThird ? "DeepseekV3ForCausalLM" : "DeepseekV2ForCausalLM"),
        ["vocab_size"] = model.Vocabulary,
        ["hidden_size"] = model.Hidden,
        ["num_hidden_layers"] = model.Layers,
        ["num_attention_heads"] = model.Heads,
        ["num_key_value_heads"] = model.Heads,
        ["q_lora_rank"] = model.QueryRank,
        ["kv_lora_rank"] = model.Rank,
        ["qk_nope_head_dim"] = model.Plain,
        ["qk_rope_head_dim"] = model.Turned,
        ["v_head_dim"] = model.Value,
        ["intermediate_size"] = model.Intermediate,
        ["moe_intermediate_size"] = model.ExpertSize,
        ["first_k_dense_replace"] = model.FirstMixture,
        ["moe_layer_freq"] = 1,
        ["n_routed_experts"] = model.Experts,
        ["num_experts_per_tok"] = model.Active,
        ["n_shared_experts"] = model.Shared,
        ["n_group"] = model.Groups,
        ["topk_group"] = model.ActiveGroups,
        ["topk_method"] = model.Routing,
        ["scoring_func"] = model.IsThird ? "sigmoid" : "softmax",
        ["norm_topk_prob"] = model.Normalized,
        ["routed_scaling_factor"] = model.Scale,
        ["max_position_embeddings"] = 256,
        ["rms_norm_eps"] = 1e-6,
        ["rope_theta"] = 10000,
        ["rope_scaling"] = model.Temperature is not { } temperature ? null : new JsonObject
        {
            ["type"] = "yarn",
            ["factor"] = 4,
            ["original_max_position_embeddings"] = 64,
            ["beta_fast"] = 32,
            ["beta_slow"] = 1,
            ["mscale"] = temperature.OfRotary,
            ["mscale_all_dim"] = temperature.OfScores,
        },
    };

    private static IEnumerable<(string Name, int[] Shape)> Tensors(ReferenceDeepSeek model)
    {
        var (c, size) = (model.Hidden, model.Plain + model.Turned);
        yield return ("model.embed_tokens.weight", [model.Vocabulary, c]);
        for (var layer = 0; layer < model.Layers; layer++)
        {
            var (attention, block) = ($"model.layers.{layer}.self_attn.", $"model.layers.{layer}.mlp.");
            yield return ($"model.layers.{layer}.input_layernorm.weight", [c]);
            if (model.QueryRank is { } rank)
            {
                yield return (attention + "q_a_proj.weight", [rank, c]);
                yield return (attention + "q_a_layernorm.weight", [rank]);
                yield return (attention + "q_b_proj.weight", [model.Heads * size, rank]);
            }
            else
            {
                yield return (attention + "q_proj.weight", [model.Heads * size, c]);
            }

            yield return (attention + "kv_a_proj_with_mqa.weight", [model.Rank + model.Turned, c]);
            yield return (attention + "kv_a_layernorm.weight", [model.Rank]);
            yield return (attention + "kv_b_proj.weight", [model.Heads * (model.Plain + model.Value), model.Rank]);
            yield return (attention + "o_proj.weight", [c, model.Heads * model.Value]);
            yield return ($"model.layers.{layer}.post_attention_layernorm.weight", [c]);
            if (!model.IsMixture(layer))
            {
                foreach (var tensor in Gated(block, model.Intermediate, c))
                    yield return tensor;
                continue;
            }

            yield return (block + "gate.weight", [model.Experts, c]);
            if (model.IsThird)
                yield return (block + "gate.e_score_correction_bias", [model.Experts]);
            foreach (var tensor in Enumerable.Range(0, model.Experts).SelectMany(expert => Gated($"{block}experts.{expert}.", model.ExpertSize, c)))
                yield return tensor;
            foreach (var tensor in Gated(block + "shared_experts.", model.Shared * model.ExpertSize, c))
                yield return tensor;
        }

        yield return ("model.norm.weight", [c]);
        yield return ("lm_head.weight", [model.Vocabulary, c]);
        // What V3's releases hold beside: a layer for training alone.
        if (model.IsThird)
            yield return ($"model.layers.{model.Layers}.eh_proj.weight", [c, 2 * c]);
    }

    private static (string Name, int[] Shape)[] Gated(string prefix, int size, int c) =>
        [(prefix + "gate_proj.weight", [size, c]), (prefix + "up_proj.weight", [size, c]), (prefix + "down_proj.weight", [c, size])];
}

using Weft.Convert.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Convert.Tests.Families;

/// <summary>
/// Recurrent families for which there is no reference checkpoint: random ones in the layout of the release, converted and run, against what the papers
/// define, computed from the checkpoint's own tensors.
/// </summary>
[TestFixture]
public sealed class RecurrentFamilyTests
{
    private const int Vocabulary = 61;

    private static readonly int[] Tokens = [.. Enumerable.Range(0, 45).Select(i => (i * 37 + i * i) % Vocabulary)];

    [Test]
    public void The_last_norm_keeps_its_own_epsilon([Values("RwkvForCausalLM", "Rwkv5ForCausalLM", "Rwkv6ForCausalLM")] string architecture)
    {
        var model = ConfigText.Describe(architecture, "{\"layer_norm_epsilon\":0.25,\"head_size\":16}");
        Assert.That((model.Layers[0].AttentionNorm!.Epsilon, model.FinalNorm!.Epsilon), Is.EqualTo((0.25f, 1e-5f)));
    }

    [TestCase(96, 96, 32, 8)]
    [TestCase(64, 128, 16, 1)]
    public void Rwkv5_computes_what_its_paper_defines(int hidden, int width, int size, int divisor)
    {
        var config = Config("Rwkv5ForCausalLM", hidden, $"\"attention_hidden_size\": {width}, \"head_size\": {size}, \"head_size_divisor\": {divisor}, \"intermediate_size\": 80");
        var tensors = Rwkv(hidden, width, 80, "time_mix_key", "time_mix_receptance", (prefix, add) =>
        {
            foreach (var name in new[] { "key", "value", "receptance", "gate" })
                add(prefix + "time_mix_" + name, [1, 1, hidden]);
            add(prefix + "time_decay", [width / size, size]);
            add(prefix + "time_faaaa", [width / size, size]);
        });
        Agrees(config, tensors, numbers => new PublishedModels(numbers, 3, hidden).Rwkv5(Tokens, size, divisor));
    }

    [TestCase(64, 64, 16)]
    [TestCase(48, 96, 32)]
    public void Rwkv6_computes_what_its_paper_defines(int hidden, int width, int size)
    {
        var config = Config("Rwkv6ForCausalLM", hidden, $"\"attention_hidden_size\": {width}, \"head_size\": {size}, \"intermediate_size\": 72");
        var tensors = Rwkv(hidden, width, 72, "time_maa_k", "time_maa_r", (prefix, add) =>
        {
            foreach (var name in "xwkvrg")
                add($"{prefix}time_maa_{name}", [1, 1, hidden]);
            add(prefix + "time_maa_w1", [hidden, 5 * 32]);
            add(prefix + "time_maa_w2", [5, 32, hidden]);
            add(prefix + "time_decay", [1, 1, width]);
            add(prefix + "time_decay_w1", [hidden, 64]);
            add(prefix + "time_decay_w2", [64, width]);
            add(prefix + "time_faaaa", [width / size, size]);
        });
        Agrees(config, tensors, numbers => new PublishedModels(numbers, 3, hidden).Rwkv6(Tokens, size, 8));
    }

    [TestCase(64, 16, 8, 24)]
    [TestCase(96, 32, 20, 12)]
    public void Rwkv7_computes_what_its_paper_defines(int hidden, int size, int rank, int gateRank)
    {
        var config = Config(
            "RWKV7ForCausalLM", hidden,
            $"\"head_dim\": {size}, \"decay_low_rank_dim\": {rank}, \"a_low_rank_dim\": {rank + 1}, \"v_low_rank_dim\": {rank + 2}, \"gate_low_rank_dim\": {gateRank}, \"intermediate_size\": 100");
        List<(string, int[])> tensors = [("model.embeddings.weight", [Vocabulary, hidden]), ("lm_head.weight", [Vocabulary, hidden])];
        void Add(string name, params int[] shape) => tensors.Add((name, shape));
        void Norm(string name)
        {
            Add(name + ".weight", hidden);
            Add(name + ".bias", hidden);
        }

        Norm("model.norm");
        Norm("model.layers.0.pre_norm");
        for (var layer = 0; layer < 3; layer++)
        {
            Norm($"model.layers.{layer}.attn_norm");
            Norm($"model.layers.{layer}.ffn_norm");
            var prefix = $"model.layers.{layer}.attn.";
            Norm(prefix + "g_norm");
            foreach (var name in "rwkvag")
                Add($"{prefix}x_{name}", 1, 1, hidden);
            Add(prefix + "k_k", hidden);
            Add(prefix + "k_a", hidden);
            Add(prefix + "r_k", hidden / size, size);
            foreach (var name in "rkvo")
                Add($"{prefix}{name}_proj.weight", hidden, hidden);
            foreach (var (name, inner) in new[] { ("w", rank), ("a", rank + 1), ("v", rank + 2), ("g", gateRank) })
            {
                if (layer == 0 && name == "v")
                    continue;
                Add($"{prefix}{name}_lora.lora.0.weight", inner, hidden);
                Add($"{prefix}{name}_lora.lora.2.weight", hidden, inner);
                if (name != "g")
                    Add($"{prefix}{name}_lora.lora.2.bias", hidden);
            }

            prefix = $"model.layers.{layer}.ffn.";
            Add(prefix + "x_k", hidden);
            Add(prefix + "key.weight", 100, hidden);
            Add(prefix + "value.weight", hidden, 100);
        }

        Agrees(config, tensors, numbers => new PublishedModels(numbers, 3, hidden).Rwkv7(Tokens, size));
    }

    [TestCase(64, 8, 2, 16, "[0.0, Infinity]", false)]
    [TestCase(48, 4, 1, 20, "[0.4, 0.9]", true)]
    public void Mamba2_computes_what_its_paper_defines(int hidden, int heads, int groups, int state, string limit, bool bias)
    {
        var (width, taps) = (2 * hidden, 4);
        var config = Config(
            "Mamba2ForCausalLM", hidden,
            $"\"num_heads\": {heads}, \"head_dim\": {width / heads}, \"n_groups\": {groups}, \"state_size\": {state}, \"time_step_limit\": {limit}, \"use_bias\": {(bias ? "true" : "false")}, \"use_conv_bias\": {(bias ? "false" : "true")}");
        List<(string, int[])> tensors =
            [("backbone.embeddings.weight", [Vocabulary, hidden]), ("backbone.norm_f.weight", [hidden]), ("lm_head.weight", [Vocabulary, hidden])];
        var channels = width + (2 * groups * state);
        for (var layer = 0; layer < 3; layer++)
        {
            var prefix = $"backbone.layers.{layer}.mixer.";
            tensors.AddRange(
            [
                ($"backbone.layers.{layer}.norm.weight", [hidden]), (prefix + "in_proj.weight", [width + channels + heads, hidden]),
                (prefix + "conv1d.weight", [channels, 1, taps]), (prefix + "dt_bias", [heads]), (prefix + "A_log", [heads]), (prefix + "D", [heads]),
                (prefix + "norm.weight", [width]), (prefix + "out_proj.weight", [hidden, width]),
            ]);
            if (bias)
                tensors.AddRange([(prefix + "in_proj.bias", [width + channels + heads]), (prefix + "out_proj.bias", [hidden])]);
            else
                tensors.Add((prefix + "conv1d.bias", [channels]));
        }

        var space = new StateSpaceDescription
        {
            Kind = StateSpaceKind.Dual, Width = width, StateSize = state, Convolution = taps, Heads = heads, Groups = groups,
            StepMin = bias ? 0.4f : null, StepMax = bias ? 0.9f : null,
        };
        Agrees(config, tensors, numbers => new PublishedModels(numbers, 3, hidden).Mamba2(Tokens, space));
    }

    [TestCase("Rwkv5ForCausalLM", "\"head_size\": 48", "heads of 48 do not divide a time mixing of width 64")]
    [TestCase("RWKV7ForCausalLM", "\"attn\": {\"layers\": [1]}", "'attn', attention in some of the layers, is not supported")]
    [TestCase("RWKV7ForCausalLM", "\"value_dim\": [64, 128, 64]", "'value_dim' other than the hidden size is not supported")]
    [TestCase("Mamba2ForCausalLM", "\"num_heads\": 3, \"head_dim\": 16", "3 heads of 16 channels are not the 128")]
    [TestCase("MambaForCausalLM", "\"hidden_act\": \"gelu\"", "'hidden_act' gelu is not supported")]
    public void A_config_that_cannot_be_is_refused(string architecture, string members, string sentence)
    {
        using var scratch = new ScratchFolder();
        RandomTensors.Write(scratch["model"], Config(architecture, 64, members), []);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain(sentence));
    }

    private static string Config(string architecture, int hidden, string members) =>
        $"{{\"architectures\": [\"{architecture}\"], \"vocab_size\": {Vocabulary}, \"hidden_size\": {hidden}, \"num_hidden_layers\": 3, {members}}}";

    private static List<(string Name, int[] Shape)> Rwkv(
        int hidden, int width, int intermediate, string keyMix, string receptanceMix, Action<string, Action<string, int[]>> timeMix)
    {
        List<(string, int[])> tensors = [("rwkv.embeddings.weight", [Vocabulary, hidden]), ("head.weight", [Vocabulary, hidden])];
        void Add(string name, int[] shape) => tensors.Add((name, shape));
        void Norm(string name, int size)
        {
            Add(name + ".weight", [size]);
            Add(name + ".bias", [size]);
        }

        Norm("rwkv.ln_out", hidden);
        Norm("rwkv.blocks.0.pre_ln", hidden);
        for (var layer = 0; layer < 3; layer++)
        {
            var block = $"rwkv.blocks.{layer}.";
            Norm(block + "ln1", hidden);
            Norm(block + "ln2", hidden);
            Norm(block + "attention.ln_x", width);
            timeMix(block + "attention.", Add);
            foreach (var name in new[] { "receptance", "key", "value", "gate" })
                Add($"{block}attention.{name}.weight", [width, hidden]);
            Add(block + "attention.output.weight", [hidden, width]);
            Add(block + "feed_forward." + keyMix, [1, 1, hidden]);
            Add(block + "feed_forward." + receptanceMix, [1, 1, hidden]);
            Add(block + "feed_forward.key.weight", [intermediate, hidden]);
            Add(block + "feed_forward.value.weight", [hidden, intermediate]);
            Add(block + "feed_forward.receptance.weight", [hidden, hidden]);
        }

        return tensors;
    }

    private static void Agrees(string config, List<(string Name, int[] Shape)> tensors, Func<Dictionary<string, double[]>, double[]> reference)
    {
        using var scratch = new ScratchFolder();
        var numbers = RandomTensors.Write(scratch["model"], config, tensors);
        Conversion.Convert(scratch["model"]).Dispose();
        using var model = Model.Load(scratch["model"] + ".weft", new() { CacheType = DataType.Float32, Device = new(DeviceKind.Cpu, 0), CacheTokens = 64 });
        using var sequence = model.CreateSequence();
        var logits = new float[Tokens.Length * Vocabulary];
        sequence.Forward(Tokens, LogitRows.All, logits);
        var error = ErrorMeasure.RelativeRms(logits, reference(numbers));
        TestContext.Out.WriteLine($"relative RMS {error:E2}");
        Assert.That(error, Is.LessThan(1e-5));
    }
}

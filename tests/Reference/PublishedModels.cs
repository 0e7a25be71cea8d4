using Weft.Models;

namespace Weft.Reference;

/// <summary>
/// Whole models with recurrent blocks as their papers and releases define them, computed from a checkpoint's own tensors in the layout in which it is
/// published: what conversions without a reference checkpoint are tested against.
/// </summary>
/// <param name="tensors">By the checkpoint's names, row-major.</param>
/// <param name="layers">How many.</param>
/// <param name="hidden">C.</param>
public sealed class PublishedModels(IReadOnlyDictionary<string, double[]> tensors, int layers, int hidden)
{
    /// <summary>RWKV-5 "Eagle" (arXiv 2404.05892; layout of RWKV/v5-Eagle-7B-HF).</summary>
    /// <param name="tokens">[N].</param>
    /// <param name="size">Channels of a head.</param>
    /// <param name="divisor">head_size_divisor.</param>
    /// <returns>[N, V].</returns>
    public double[] Rwkv5(ReadOnlySpan<int> tokens, int size, double divisor) => Rwkv(tokens, (x, prefix) =>
    {
        var delta = ReferenceRecurrent.Shift(x, hidden);
        double[] Input(string name) => Mix(x, delta, Array.ConvertAll(tensors[$"{prefix}time_mix_{name}"], share => 1 - share));
        var decay = Array.ConvertAll(tensors[prefix + "time_decay"], d => Math.Exp(-Math.Exp(d)));
        return Heads(prefix, decay, Input, size, divisor);
    }, "time_mix_key", "time_mix_receptance", share => 1 - share);

    /// <summary>RWKV-6 "Finch" (arXiv 2404.05892; layout of RWKV/v6-Finch-1B6-HF).</summary>
    /// <param name="tokens">[N].</param>
    /// <param name="size">Channels of a head.</param>
    /// <param name="divisor">head_size_divisor.</param>
    /// <returns>[N, V].</returns>
    public double[] Rwkv6(ReadOnlySpan<int> tokens, int size, double divisor) => Rwkv(tokens, (x, prefix) =>
    {
        var delta = ReferenceRecurrent.Shift(x, hidden);
        var first = tensors[prefix + "time_maa_w1"];
        var rank = first.Length / hidden / 5;
        var narrow = Array.ConvertAll(Times(Mix(x, delta, tensors[prefix + "time_maa_x"]), first, 5 * rank), Math.Tanh);
        double[] Input(string name)
        {
            var place = "wkvrg".IndexOf(name[0], StringComparison.Ordinal);
            double[] own = [.. narrow.Where((_, i) => i % (5 * rank) / rank == place)];
            var amount = Times(own, tensors[prefix + "time_maa_w2"][(place * rank * hidden)..((place + 1) * rank * hidden)], hidden);
            return Mix(x, delta, [.. amount.Select((value, i) => value + tensors[$"{prefix}time_maa_{name[0]}"][i % hidden])]);
        }

        var inner = tensors[prefix + "time_decay_w1"].Length / hidden;
        var bias = tensors[prefix + "time_decay"];
        var decay = Times(Array.ConvertAll(Times(Input("w"), tensors[prefix + "time_decay_w1"], inner), Math.Tanh), tensors[prefix + "time_decay_w2"], bias.Length);
        return Heads(prefix, [.. decay.Select((d, i) => Math.Exp(-Math.Exp(d + bias[i % bias.Length])))], Input, size, divisor);
    }, "time_maa_k", "time_maa_r", share => share);

    /// <summary>RWKV-7 "Goose" (arXiv 2503.14456; layout of fla-hub/rwkv7-1.5B-world).</summary>
    /// <param name="tokens">[N].</param>
    /// <param name="size">Channels of a head.</param>
    /// <returns>[N, V].</returns>
    public double[] Rwkv7(ReadOnlySpan<int> tokens, int size)
    {
        var x = LayerNorm(Embed(tokens, "model.embeddings.weight"), "model.layers.0.pre_norm");
        double[]? firstValues = null;
        for (var layer = 0; layer < layers; layer++)
        {
            var prefix = $"model.layers.{layer}.attn.";
            var normed = LayerNorm(x, $"model.layers.{layer}.attn_norm");
            var delta = ReferenceRecurrent.Shift(normed, hidden);
            double[] Input(string name) => Mix(normed, delta, tensors[prefix + "x_" + name]);
            double[] LowRank(string name, Func<double, double> f)
            {
                var narrow = Array.ConvertAll(Linear(Input(name), $"{prefix}{name}_lora.lora.0"), y => f(y));
                return Linear(narrow, $"{prefix}{name}_lora.lora.2", tensors[$"{prefix}{name}_lora.lora.0.weight"].Length / hidden);
            }

            var (r, k, v) = (Linear(Input("r"), prefix + "r_proj"), Linear(Input("k"), prefix + "k_proj"), Linear(Input("v"), prefix + "v_proj"));
            var w = Array.ConvertAll(LowRank("w", Math.Tanh), d => Math.Exp(-0.6065306597126334 * Sigmoid(d)));
            if (firstValues is null)
                firstValues = v;
            else
                v = [.. LowRank("v", y => y).Select((amount, i) => v[i] + (Sigmoid(amount) * (firstValues[i] - v[i])))];
            var a = Array.ConvertAll(LowRank("a", y => y), Sigmoid);
            var gate = LowRank("g", Sigmoid);
            var (scale, rate, bonus) = (tensors[prefix + "k_k"], tensors[prefix + "k_a"], tensors[prefix + "r_k"]);
            double[] kappa = [.. k.Select((key, i) => key * scale[i % hidden])];
            k = [.. k.Select((key, i) => key * (1 + ((a[i] - 1) * rate[i % hidden])))];
            var norm = new NormDescription { Kind = NormKind.Layer, Epsilon = size * 1e-5f, Bias = true };
            var heads = ReferenceNorm.Apply(
                norm, ReferenceRecurrent.DeltaRule(r, w, kappa, k, v, a, hidden, size), tensors[prefix + "g_norm.weight"], tensors[prefix + "g_norm.bias"], size);
            double[] result = [.. heads.Select((value, i) =>
                gate[i] * (value + (v[i] * Enumerable.Range(i / size * size, size).Sum(j => r[j] * k[j] * bonus[j % hidden]))))];
            x = Add(x, Linear(result, prefix + "o_proj"));

            prefix = $"model.layers.{layer}.ffn.";
            normed = LayerNorm(x, $"model.layers.{layer}.ffn_norm");
            var up = Linear(Mix(normed, ReferenceRecurrent.Shift(normed, hidden), tensors[prefix + "x_k"]), prefix + "key");
            x = Add(x, Linear(Array.ConvertAll(up, SquaredRelu), prefix + "value", tensors[prefix + "key.weight"].Length / hidden));
        }

        return Linear(LayerNorm(x, "model.norm"), "lm_head");
    }

    /// <summary>Mamba-2 (arXiv 2405.21060; layout of transformers' port, the norm by group as in state-spaces/mamba).</summary>
    /// <param name="tokens">[N].</param>
    /// <param name="space">Its sizes.</param>
    /// <returns>[N, V].</returns>
    public double[] Mamba2(ReadOnlySpan<int> tokens, StateSpaceDescription space)
    {
        ArgumentNullException.ThrowIfNull(space);
        var x = Embed(tokens, "backbone.embeddings.weight");
        var rms = new NormDescription { Kind = NormKind.Rms, Epsilon = 1e-5f };
        var (i, n) = (space.Width, space.Groups * space.StateSize);
        for (var layer = 0; layer < layers; layer++)
        {
            var prefix = $"backbone.layers.{layer}.mixer.";
            var normed = ReferenceNorm.Apply(rms, x, tensors[$"backbone.layers.{layer}.norm.weight"], [], hidden);
            var width = (2 * i) + (2 * n) + space.Heads;
            var joint = Linear(normed, prefix + "in_proj");
            double[] Part(double[] rows, int all, int first, int count) => [.. rows.Where((_, j) => j % all >= first && j % all < first + count)];
            // The port's weights have a channel's taps side by side.
            var (taps, stored) = (space.Convolution, tensors[prefix + "conv1d.weight"]);
            var weight = new double[stored.Length];
            for (var j = 0; j < stored.Length; j++)
                weight[(j % taps * (i + (2 * n))) + (j / taps)] = stored[j];
            var convolved = ReferenceRecurrent.Convolution(
                Part(joint, width, i, i + (2 * n)), weight, tensors.GetValueOrDefault(prefix + "conv1d.bias") ?? [], i + (2 * n));
            double[] step = [.. Part(joint, width, (2 * i) + (2 * n), space.Heads).Select((value, j) => value + tensors[prefix + "dt_bias"][j % space.Heads])];
            var scanned = ReferenceRecurrent.Scan(
                space, tensors[prefix + "A_log"], tensors[prefix + "D"], Part(convolved, i + (2 * n), 0, i), step,
                Part(convolved, i + (2 * n), i, n), Part(convolved, i + (2 * n), i + n, n));
            double[] gated = [.. Part(joint, width, 0, i).Select((gate, j) => gate * Sigmoid(gate) * scanned[j])];
            x = Add(x, Linear(ReferenceNorm.Apply(rms, gated, tensors[prefix + "norm.weight"], [], i / space.Groups), prefix + "out_proj", i));
        }

        return Linear(ReferenceNorm.Apply(rms, x, tensors["backbone.norm_f.weight"], [], hidden), "lm_head");
    }

    /// <summary>What RWKV-5 and -6 have in common but for their time mixing.</summary>
    private double[] Rwkv(ReadOnlySpan<int> tokens, Func<double[], string, double[]> timeMix, string keyMix, string receptanceMix, Func<double, double> share)
    {
        var x = LayerNorm(Embed(tokens, "rwkv.embeddings.weight"), "rwkv.blocks.0.pre_ln");
        for (var layer = 0; layer < layers; layer++)
        {
            var block = $"rwkv.blocks.{layer}.";
            x = Add(x, timeMix(LayerNorm(x, block + "ln1"), block + "attention."));
            var prefix = block + "feed_forward.";
            var normed = LayerNorm(x, block + "ln2");
            var delta = ReferenceRecurrent.Shift(normed, hidden);
            double[] Input(string name) => Mix(normed, delta, Array.ConvertAll(tensors[prefix + name], value => share(value)));
            var up = Array.ConvertAll(Linear(Input(keyMix), prefix + "key"), SquaredRelu);
            var value = Linear(up, prefix + "value", tensors[prefix + "key.weight"].Length / hidden);
            x = Add(x, [.. Linear(Input(receptanceMix), prefix + "receptance").Select((r, i) => Sigmoid(r) * value[i])]);
        }

        return Linear(LayerNorm(x, "rwkv.ln_out"), "head");
    }

    private double[] Heads(string prefix, double[] decay, Func<string, double[]> input, int size, double divisor)
    {
        double[] Project(string name) => Linear(input(name), prefix + name);
        var width = tensors[prefix + "time_faaaa"].Length;
        var heads = ReferenceRecurrent.Decay(decay, tensors[prefix + "time_faaaa"], Project("receptance"), Project("key"), Project("value"), size);
        // As the release has it: divided first, then normed.
        var norm = new NormDescription { Kind = NormKind.Layer, Epsilon = 1e-5f, Bias = true };
        var normed = ReferenceNorm.Apply(norm, Array.ConvertAll(heads, y => y / divisor), tensors[prefix + "ln_x.weight"], tensors[prefix + "ln_x.bias"], size);
        return Linear([.. Project("gate").Select((gate, i) => gate * Sigmoid(gate) * normed[i])], prefix + "output", width);
    }

    private double[] Embed(ReadOnlySpan<int> tokens, string name)
    {
        var x = new double[tokens.Length * hidden];
        for (var n = 0; n < tokens.Length; n++)
            tensors[name].AsSpan(tokens[n] * hidden, hidden).CopyTo(x.AsSpan(n * hidden));
        return x;
    }

    private double[] LayerNorm(double[] x, string name) =>
        ReferenceNorm.Apply(new() { Kind = NormKind.Layer, Epsilon = 1e-5f, Bias = true }, x, tensors[name + ".weight"], tensors[name + ".bias"], hidden);

    private double[] Linear(double[] x, string name, int? inputs = null) =>
        ReferenceLinear.Apply(x, tensors[name + ".weight"], tensors.GetValueOrDefault(name + ".bias") ?? [], inputs ?? hidden);

    /// <summary>x · W with W [in, out].</summary>
    private static double[] Times(double[] x, double[] matrix, int outputs)
    {
        var inputs = matrix.Length / outputs;
        var transposed = new double[matrix.Length];
        for (var i = 0; i < matrix.Length; i++)
            transposed[(i % outputs * inputs) + (i / outputs)] = matrix[i];
        return ReferenceLinear.Apply(x, transposed, [], inputs);
    }

    private static double[] Mix(double[] x, double[] delta, double[] amount) => [.. x.Select((value, i) => value + (delta[i] * amount[i % amount.Length]))];

    private static double[] Add(double[] x, double[] y) => [.. x.Zip(y, (a, b) => a + b)];

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static double SquaredRelu(double x) => Math.Max(x, 0) * Math.Max(x, 0);
}

using Weft.Models;

namespace Weft.Reference;

/// <summary>
/// DeepSeek-V2 and V3 as their releases define them (arXiv 2405.04434 and 2412.19437, and the models' own implementations), over a checkpoint's own tensors:
/// heads have keys and values of their own, neighbours turn, and routing is by the releases' names. Nothing of the packed file's blocks is used.
/// </summary>
public sealed record ReferenceDeepSeek
{
    private const double Epsilon = 1e-6;

    /// <summary>vocab_size.</summary>
    public int Vocabulary { get; init; } = 101;

    /// <summary>hidden_size.</summary>
    public int Hidden { get; init; } = 72;

    /// <summary>num_hidden_layers.</summary>
    public int Layers { get; init; } = 3;

    /// <summary>num_attention_heads.</summary>
    public int Heads { get; init; } = 3;

    /// <summary>q_lora_rank, or null.</summary>
    public int? QueryRank { get; init; } = 40;

    /// <summary>kv_lora_rank.</summary>
    public int Rank { get; init; } = 24;

    /// <summary>qk_nope_head_dim.</summary>
    public int Plain { get; init; } = 24;

    /// <summary>qk_rope_head_dim.</summary>
    public int Turned { get; init; } = 8;

    /// <summary>v_head_dim.</summary>
    public int Value { get; init; } = 28;

    /// <summary>intermediate_size.</summary>
    public int Intermediate { get; init; } = 90;

    /// <summary>moe_intermediate_size.</summary>
    public int ExpertSize { get; init; } = 44;

    /// <summary>first_k_dense_replace.</summary>
    public int FirstMixture { get; init; } = 1;

    /// <summary>n_routed_experts.</summary>
    public int Experts { get; init; } = 12;

    /// <summary>num_experts_per_tok.</summary>
    public int Active { get; init; } = 4;

    /// <summary>n_shared_experts.</summary>
    public int Shared { get; init; } = 2;

    /// <summary>n_group.</summary>
    public int Groups { get; init; } = 4;

    /// <summary>topk_group.</summary>
    public int ActiveGroups { get; init; } = 2;

    /// <summary>topk_method: greedy, group_limited_greedy or noaux_tc.</summary>
    public required string Routing { get; init; }

    /// <summary>norm_topk_prob.</summary>
    public bool Normalized { get; init; }

    /// <summary>routed_scaling_factor.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>rope_scaling's mscale and mscale_all_dim, with YaRN of a factor of 4 over 64 positions; null for no scaling.</summary>
    public (double OfRotary, double OfScores)? Temperature { get; init; }

    /// <summary>noaux_tc scores with a sigmoid.</summary>
    public bool IsThird => Routing == "noaux_tc";

    /// <summary>The layer has a mixture of experts.</summary>
    public bool IsMixture(int layer) => layer >= FirstMixture;

    /// <summary>The logits [N, V] of <paramref name="tokens"/>.</summary>
    public double[] Logits(IReadOnlyDictionary<string, double[]> tensors, ReadOnlySpan<int> tokens)
    {
        var x = new double[tokens.Length * Hidden];
        for (var n = 0; n < tokens.Length; n++)
            tensors["model.embed_tokens.weight"].AsSpan(tokens[n] * Hidden, Hidden).CopyTo(x.AsSpan(n * Hidden));
        for (var layer = 0; layer < Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            Add(x, Attention(ReferenceNorm.Rms(x, tensors[prefix + "input_layernorm.weight"], Epsilon), name => tensors[$"{prefix}self_attn.{name}.weight"]));
            var normed = ReferenceNorm.Rms(x, tensors[prefix + "post_attention_layernorm.weight"], Epsilon);
            Add(x, IsMixture(layer) ? Mixture(normed, name => tensors[$"{prefix}mlp.{name}"]) : Gated(normed, name => tensors[$"{prefix}mlp.{name}.weight"]));
        }

        return ReferenceLinear.Apply(ReferenceNorm.Rms(x, tensors["model.norm.weight"], Epsilon), tensors["lm_head.weight"], [], Hidden);
    }

    private double[] Attention(double[] x, Func<string, double[]> weight)
    {
        var (count, size) = (x.Length / Hidden, Plain + Turned);
        var q = QueryRank is { } rank
            ? ReferenceLinear.Apply(ReferenceNorm.Rms(ReferenceLinear.Apply(x, weight("q_a_proj"), [], Hidden), weight("q_a_layernorm"), Epsilon), weight("q_b_proj"), [], rank)
            : ReferenceLinear.Apply(x, weight("q_proj"), [], Hidden);
        var joint = ReferenceLinear.Apply(x, weight("kv_a_proj_with_mqa"), [], Hidden);
        double[] Part(int first, int length) => [.. Enumerable.Range(0, count).SelectMany(n => joint.Skip((n * (Rank + Turned)) + first).Take(length))];
        var up = ReferenceLinear.Apply(ReferenceNorm.Rms(Part(0, Rank), weight("kv_a_layernorm"), Epsilon), weight("kv_b_proj"), [], Rank);
        var key = Part(Rank, Turned);

        double Temper(double m) => Temperature is null ? 1 : (0.1 * m * Math.Log(4)) + 1;
        var (ofRotary, ofScores) = Temperature ?? (0, 0);
        var rotary = new RotaryDescription
        {
            Theta = 10000,
            Scaling = Temperature is null ? null : new()
            {
                Kind = RotaryScalingKind.Yarn, Factor = 4, OriginalContextLength = 64, BetaFast = 32, BetaSlow = 1, AttentionFactor = 1,
            },
        };
        var frequencies = ReferenceRotary.Frequencies(rotary, Turned);
        void Turn(double[] values, int at, int position)
        {
            for (var i = 0; i < Turned / 2; i++)
            {
                var (sin, cos) = Math.SinCos(position * frequencies[i]);
                var magnitude = Temper(ofRotary) / Temper(ofScores);
                var (a, b) = (values[at + (2 * i)], values[at + (2 * i) + 1]);
                values[at + (2 * i)] = ((a * cos) - (b * sin)) * magnitude;
                values[at + (2 * i) + 1] = ((b * cos) + (a * sin)) * magnitude;
            }
        }

        for (var n = 0; n < count; n++)
        {
            Turn(key, n * Turned, n);
            for (var head = 0; head < Heads; head++)
                Turn(q, (((n * Heads) + head) * size) + Plain, n);
        }

        var scale = Temper(ofScores) * Temper(ofScores) / Math.Sqrt(size);
        var mixed = new double[count * Heads * Value];
        for (var n = 0; n < count; n++)
        {
            for (var head = 0; head < Heads; head++)
            {
                int Row(int t) => ((t * Heads) + head) * (Plain + Value);
                var query = q.AsSpan(((n * Heads) + head) * size, size).ToArray();
                var scores = Enumerable.Range(0, n + 1).Select(t => scale * (Dot(query, 0, up, Row(t), Plain) + Dot(query, Plain, key, t * Turned, Turned))).ToArray();
                ReferenceAttention.Softmax(scores);
                for (var t = 0; t <= n; t++)
                {
                    for (var i = 0; i < Value; i++)
                        mixed[(((n * Heads) + head) * Value) + i] += scores[t] * up[Row(t) + Plain + i];
                }
            }
        }

        return ReferenceLinear.Apply(mixed, weight("o_proj"), [], Heads * Value);
    }

    private double[] Mixture(double[] x, Func<string, double[]> tensor)
    {
        var logits = ReferenceLinear.Apply(x, tensor("gate.weight"), [], Hidden);
        var result = Gated(x, name => tensor($"shared_experts.{name}.weight"));
        for (var n = 0; n < x.Length / Hidden; n++)
        {
            var scores = logits[(n * Experts)..((n + 1) * Experts)];
            if (IsThird)
                scores = Array.ConvertAll(scores, score => 1 / (1 + Math.Exp(-score)));
            else
                ReferenceAttention.Softmax(scores);
            var chosen = Choose(IsThird ? [.. scores.Zip(tensor("gate.e_score_correction_bias"), (score, bias) => score + bias)] : scores);
            var sum = Normalized ? chosen.Sum(expert => scores[expert]) : 1;
            var factor = Normalized && !IsThird ? 1 : Scale;
            var row = x[(n * Hidden)..((n + 1) * Hidden)];
            foreach (var expert in chosen)
            {
                var given = Gated(row, name => tensor($"experts.{expert}.{name}.weight"));
                for (var i = 0; i < Hidden; i++)
                    result[(n * Hidden) + i] += factor * scores[expert] / sum * given[i];
            }
        }

        return result;
    }

    private List<int> Choose(double[] scores)
    {
        var open = Enumerable.Range(0, Experts);
        if (Routing != "greedy")
        {
            var size = Experts / Groups;
            double Of(int group) => scores.Skip(group * size).Take(size).OrderDescending().Take(IsThird ? 2 : 1).Sum();
            var groups = Enumerable.Range(0, Groups).OrderByDescending(Of).Take(ActiveGroups).ToHashSet();
            open = open.Where(expert => groups.Contains(expert / size));
        }

        return [.. open.OrderByDescending(expert => scores[expert]).Take(Active)];
    }

    private double[] Gated(double[] x, Func<string, double[]> weight)
    {
        var up = ReferenceLinear.Apply(x, weight("up_proj"), [], Hidden);
        var gate = ReferenceLinear.Apply(x, weight("gate_proj"), [], Hidden);
        return ReferenceLinear.Apply([.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)], weight("down_proj"), [], weight("down_proj").Length / Hidden);
    }

    private static double Dot(double[] a, int atA, double[] b, int atB, int count) => Enumerable.Range(0, count).Sum(i => a[atA + i] * b[atB + i]);

    private static void Add(double[] x, double[] y)
    {
        for (var i = 0; i < x.Length; i++)
            x[i] += y[i];
    }
}

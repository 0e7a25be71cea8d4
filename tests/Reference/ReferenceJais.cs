using Weft.Models;

namespace Weft.Reference;

/// <summary>
/// Jais by its paper and release, in the release's tensors and nothing of the runtime's (Sengupta et al. 2023, arXiv 2308.16149; modeling_jais.py of the checkpoints). Matrices of layers are
/// stored [in, out].
/// </summary>
/// <param name="tensors">By the release's names.</param>
/// <param name="hidden">C.</param>
/// <param name="heads">H.</param>
/// <param name="layers">How many.</param>
public sealed class ReferenceJais(IReadOnlyDictionary<string, double[]> tensors, int hidden, int heads, int layers)
{
    private const double Epsilon = 1e-5;

    /// <summary>Factor on embeddings.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>Factor on logits.</summary>
    public double LogitScale { get; init; } = 1;

    /// <summary>Scores are divided by D, not by its root.</summary>
    public bool DividesBySize { get; init; }

    /// <summary>What distances are divided by.</summary>
    public double DistanceFactor { get; init; } = 1;

    /// <summary>There is a gate; GELU otherwise.</summary>
    public bool IsGated { get; init; } = true;

    /// <summary>The logits [N, V] of <paramref name="tokens"/>.</summary>
    public double[] Logits(ReadOnlySpan<int> tokens)
    {
        var table = tensors["transformer.wte.weight"];
        var x = new double[tokens.Length * hidden];
        for (var i = 0; i < x.Length; i++)
            x[i] = EmbeddingScale * table[(tokens[i / hidden] * hidden) + (i % hidden)];
        for (var layer = 0; layer < layers; layer++)
        {
            var prefix = $"transformer.h.{layer}.";
            x = Sum(x, Linear(Attend(Linear(Norm(x, prefix + "ln_1"), prefix + "attn.c_attn")), prefix + "attn.c_proj"));
            var read = Norm(x, prefix + "ln_2");
            var inner = Linear(read, prefix + "mlp.c_fc");
            inner = IsGated
                ? [.. inner.Zip(Linear(read, prefix + "mlp.c_fc2"), (up, gate) => up * gate / (1 + Math.Exp(-gate)))]
                : Array.ConvertAll(inner, value => ReferenceActivation.Apply(Activation.Gelu, value));
            x = Sum(x, Linear(inner, prefix + "mlp.c_proj"));
        }

        return Array.ConvertAll(ReferenceLinear.Apply(Norm(x, "transformer.ln_f"), table, [], hidden), logit => LogitScale * logit);
    }

    private double[] Attend(double[] joint)
    {
        var (size, width) = (hidden / heads, 3 * hidden);
        var result = new double[joint.Length / 3];
        for (var n = 0; n < joint.Length / width; n++)
        {
            for (var head = 0; head < heads; head++)
            {
                var start = head * size;
                var scores = Enumerable.Range(0, n + 1).Select(t =>
                {
                    var product = Enumerable.Range(start, size).Sum(d => joint[(n * width) + d] * joint[(t * width) + hidden + d]);
                    return (product / (DividesBySize ? size : Math.Sqrt(size))) - (Slope(head) * (n - t) / DistanceFactor);
                }).ToArray();
                ReferenceAttention.Softmax(scores);
                for (var d = start; d < start + size; d++)
                    result[(n * hidden) + d] = scores.Select((score, t) => score * joint[(t * width) + (2 * hidden) + d]).Sum();
            }
        }

        return result;
    }

    /// <summary>Of heads beyond a power of two n, every other slope of 2n.</summary>
    private double Slope(int head)
    {
        var n = 1;
        while (2 * n <= heads)
            n *= 2;
        return head < n ? Math.Pow(2, -8.0 / n * (head + 1)) : Math.Pow(2, -8.0 / (2 * n) * ((2 * (head - n)) + 1));
    }

    private double[] Linear(double[] x, string module)
    {
        var (weight, bias) = (tensors[module + ".weight"], tensors[module + ".bias"]);
        var inputs = weight.Length / bias.Length;
        return ReferenceLinear.Apply(x, [.. Enumerable.Range(0, weight.Length).Select(i => weight[(i % inputs * bias.Length) + (i / inputs)])], bias, inputs);
    }

    private double[] Norm(double[] x, string module) => ReferenceNorm.Layer(x, tensors[module + ".weight"], tensors[module + ".bias"], Epsilon);

    private static double[] Sum(double[] x, double[] y) => [.. x.Zip(y, (a, b) => a + b)];
}

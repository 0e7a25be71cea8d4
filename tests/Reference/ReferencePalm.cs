using Weft.Models;

namespace Weft.Reference;

/// <summary>
/// PaLM with xPos by their papers, in the tensors of PaLM-rlhf-pytorch and nothing of the runtime's (Chowdhery et al. 2022, arXiv 2204.02311; Sun et al.
/// 2022, arXiv 2212.10554; palm.py of PaLM-rlhf-pytorch 0.2).
/// </summary>
/// <param name="tensors">By the release's names.</param>
/// <param name="hidden">C.</param>
/// <param name="heads">H.</param>
/// <param name="size">D.</param>
/// <param name="layers">How many.</param>
/// <param name="scaleBase">Tokens of distance over which a pair loses its ζ.</param>
public sealed class ReferencePalm(IReadOnlyDictionary<string, double[]> tensors, int hidden, int heads, int size, int layers, double scaleBase)
{
    private const double Epsilon = 1e-5;

    /// <summary>Queries and keys have length one, times a factor an element.</summary>
    public bool NormsHeads { get; init; }

    /// <summary>The logits [N, V] of <paramref name="tokens"/> [N].</summary>
    public double[] Logits(int[] tokens)
    {
        var words = tensors["token_emb.weight"];
        var x = tokens.SelectMany(token => words[(token * hidden)..((token + 1) * hidden)]).ToArray();
        for (var i = 0; i < layers; i++)
        {
            var layer = $"layers.{i}.fn.";
            var joint = Linear(Norm(x, layer + "norm.gamma"), layer + "fused_attn_ff_proj");
            var width = joint.Length / tokens.Length;
            var attention = heads * size;
            var inner = (width - attention - (2 * size)) / 2;
            var rows = joint.Chunk(width).ToArray();
            double[] Head(int n, int first, string scale) => Scaled(rows[n][first..(first + size)], layer + scale);
            var keys = Enumerable.Range(0, tokens.Length).Select(n => Head(n, attention, "k_scale")).ToArray();
            var mixed = new double[tokens.Length * attention];
            var gated = new double[tokens.Length * inner];
            for (var n = 0; n < tokens.Length; n++)
            {
                for (var h = 0; h < heads; h++)
                {
                    var query = Head(n, h * size, "q_scale");
                    var weights = Enumerable.Range(0, n + 1).Select(m => Score(query, keys[m], n - m) / Math.Sqrt(size)).ToArray();
                    ReferenceAttention.Softmax(weights);
                    for (var d = 0; d < size; d++)
                        mixed[(n * attention) + (h * size) + d] = weights.Select((weight, m) => weight * rows[m][attention + size + d]).Sum();
                }

                var feed = rows[n][(attention + (2 * size))..];
                for (var f = 0; f < inner; f++)
                    gated[(n * inner) + f] = feed[f] * ReferenceActivation.Apply(Activation.Silu, feed[inner + f]);
            }

            var (given, added) = (Linear(mixed, layer + "attn_out", attention), Linear(gated, layer + "ff_out.2", inner));
            x = [.. x.Select((value, at) => value + given[at] + added[at])];
        }

        return ReferenceLinear.Apply(Norm(x, "norm.gamma"), words, [], hidden);
    }

    /// <summary>Σ over pairs of Re(q · conj(k) · e^(iθ·distance)) · ζ^(distance / base): turning both and scaling both comes to this.</summary>
    private double Score(double[] query, double[] key, int distance)
    {
        var (half, sum) = (size / 2, 0.0);
        for (var i = 0; i < half; i++)
        {
            var angle = distance * Math.Pow(10000, -2.0 * i / size);
            var zeta = ((2 * i) + (0.4 * size)) / (1.4 * size);
            var along = (query[i] * key[i]) + (query[half + i] * key[half + i]);
            var across = (query[i] * key[half + i]) - (query[half + i] * key[i]);
            sum += ((along * Math.Cos(angle)) + (across * Math.Sin(angle))) * Math.Pow(zeta, distance / scaleBase);
        }

        return sum;
    }

    private double[] Scaled(double[] head, string scale)
    {
        if (!NormsHeads)
            return head;
        var length = Math.Sqrt(head.Sum(value => value * value));
        return [.. head.Select((value, d) => value / length * tensors[scale][d])];
    }

    private double[] Linear(double[] x, string module, int? inputs = null) => ReferenceLinear.Apply(x, tensors[module + ".weight"], [], inputs ?? hidden);

    private double[] Norm(double[] x, string name) => ReferenceNorm.Layer(x, tensors[name], [], Epsilon);
}

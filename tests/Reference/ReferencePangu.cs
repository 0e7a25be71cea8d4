using Weft.Models;

namespace Weft.Reference;

/// <summary>
/// PanGu-α by its paper and release, in the release's tensors and nothing of the runtime's (Zeng et al. 2021, arXiv 2104.12369; modeling_gptpangu.py of the
/// checkpoints for transformers).
/// </summary>
public static class ReferencePangu
{
    private const double Epsilon = 1e-5;

    /// <summary>The logits [N, V].</summary>
    /// <param name="tensors">By the release's names.</param>
    /// <param name="tokens">[N].</param>
    /// <param name="hidden">C.</param>
    /// <param name="heads">H.</param>
    /// <param name="layers">How many, the query layer included.</param>
    public static double[] Logits(IReadOnlyDictionary<string, double[]> tensors, int[] tokens, int hidden, int heads, int layers)
    {
        double[] Rows(string table, IEnumerable<int> rows) => [.. rows.SelectMany(row => tensors[table][(row * hidden)..((row + 1) * hidden)])];
        double[] Linear(double[] x, string name) => ReferenceLinear.Apply(
            x, tensors[name + ".weight"], tensors[name + ".bias"], tensors[name + ".weight"].Length / tensors[name + ".bias"].Length);
        double[] Norm(double[] x, string name) => ReferenceNorm.Layer(x, tensors[name + ".weight"], tensors[name + ".bias"], Epsilon);
        static double[] Sum(double[] x, double[] y) => [.. x.Zip(y, (a, b) => a + b)];

        var positions = Enumerable.Range(0, tokens.Length).ToArray();
        var x = Sum(Rows("transformer.wte.weight", tokens), Rows("transformer.wpe.weight", positions));
        for (var i = 0; i < layers; i++)
        {
            var isQueryLayer = i == layers - 1;
            if (isQueryLayer)
                x = Norm(x, "transformer.ln_f");
            var layer = $"transformer.h.{i}.";
            var read = Norm(x, layer + "ln_1");
            var query = Linear(isQueryLayer ? Rows("transformer.wqe.weight", positions) : read, layer + "attn.q_proj");
            var mixed = Attend(query, Linear(read, layer + "attn.k_proj"), Linear(read, layer + "attn.v_proj"), hidden, heads);
            x = Sum(x, Linear(mixed, layer + "attn.c_proj"));
            var inner = Linear(Norm(x, layer + "ln_2"), layer + "mlp.c_fc");
            x = Sum(x, Linear(Array.ConvertAll(inner, value => ReferenceActivation.Apply(Activation.Gelu, value)), layer + "mlp.c_proj"));
        }

        return ReferenceLinear.Apply(x, tensors["lm_head.weight"], [], hidden);
    }

    private static double[] Attend(double[] query, double[] key, double[] value, int hidden, int heads)
    {
        var (result, size) = (new double[query.Length], hidden / heads);
        for (var n = 0; n < query.Length / hidden; n++)
        {
            for (var start = 0; start < hidden; start += size)
            {
                var weights = Enumerable.Range(0, n + 1)
                    .Select(t => Enumerable.Range(start, size).Sum(d => query[(n * hidden) + d] * key[(t * hidden) + d]) / Math.Sqrt(size)).ToArray();
                ReferenceAttention.Softmax(weights);
                for (var d = start; d < start + size; d++)
                    result[(n * hidden) + d] = weights.Select((weight, t) => weight * value[(t * hidden) + d]).Sum();
            }
        }

        return result;
    }
}

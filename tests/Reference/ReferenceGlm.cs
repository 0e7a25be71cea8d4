using Weft.Models;

namespace Weft.Reference;

/// <summary>
/// GLM and GLM-130B by their papers and releases, in the releases' tensors and nothing of the runtime's: the definition of what the converter makes of them.
/// </summary>
/// <param name="tensors">By the release's names; of GLM-130B the parts put together.</param>
/// <param name="hidden">C.</param>
/// <param name="heads">H.</param>
/// <param name="layers">How many.</param>
public sealed class ReferenceGlm(IReadOnlyDictionary<string, double[]> tensors, int hidden, int heads, int layers)
{
    private const double Epsilon = 1e-5;

    private int Size => hidden / heads;

    /// <summary>
    /// The logits [N, V] of GLM (Du et al. 2021, arXiv 2103.10360; modeling_glm.py beside the checkpoint THUDM/glm-10b): GPT-2's layers, two tables of
    /// positions, and a head that is the embedding.
    /// </summary>
    /// <param name="tokens">[N].</param>
    /// <param name="start">Place of the token that starts the answer: those before it see each other.</param>
    /// <param name="mask">Place of the blank.</param>
    public double[] Glm(int[] tokens, int start, int mask)
    {
        var words = tensors["glm.word_embeddings.weight"];
        var x = new double[tokens.Length * hidden];
        for (var i = 0; i < x.Length; i++)
        {
            var (n, c) = Math.DivRem(i, hidden);
            var (position, block) = n < start ? (n, 0) : (mask, n - start + 1);
            x[i] = words[(tokens[n] * hidden) + c] + tensors["glm.transformer.position_embeddings.weight"][(position * hidden) + c]
                + tensors["glm.transformer.block_position_embeddings.weight"][(block * hidden) + c];
        }

        for (var i = 0; i < layers; i++)
        {
            var layer = $"glm.transformer.layers.{i}.";
            var joint = Linear(Norm(x, layer + "input_layernorm"), layer + "attention.query_key_value");
            // [query; key; value], each of all heads.
            var mixed = Attend((n, h, part, d) => joint[(n * 3 * hidden) + (part * hidden) + (h * Size) + d], tokens.Length, start);
            x = Sum(1, x, Linear(mixed, layer + "attention.dense"));
            var inner = Linear(Norm(x, layer + "post_attention_layernorm"), layer + "mlp.dense_h_to_4h");
            x = Sum(1, x, Linear(Array.ConvertAll(inner, value => ReferenceActivation.Apply(Activation.GeluTanh, value)), layer + "mlp.dense_4h_to_h"));
        }

        return ReferenceLinear.Apply(Norm(x, "glm.transformer.final_layernorm"), words, [], hidden);
    }

    /// <summary>
    /// The logits [N, V] of GLM-130B (Zeng et al. 2022, arXiv 2210.02414; glm130B_model.py of SwissArmyTransformer): DeepNorm, rotary positions in 16-bit
    /// frequencies, a gated GELU, and a head that is the embedding.
    /// </summary>
    /// <param name="tokens">[N].</param>
    /// <param name="start">Place of the token that starts the answer.</param>
    /// <param name="mask">Place of the blank that is filled; null for the blank that ends a text ([gMASK]).</param>
    public double[] Glm130B(int[] tokens, int start, int? mask)
    {
        var words = tensors["transformer.word_embeddings.weight"];
        var x = tokens.SelectMany(token => words[(token * hidden)..((token + 1) * hidden)]).ToArray();
        var alpha = Math.Sqrt(2 * layers);
        for (var i = 0; i < layers; i++)
        {
            var layer = $"transformer.layers.{i}.";
            var read = Norm(x, layer + "input_layernorm");
            var joint = Linear(read, layer + "attention.query_key_value");
            // Head by head: its query, its key, its value.
            double At(int n, int h, int part, int d) => joint[(((n * heads) + h) * 3 * Size) + (part * Size) + d];
            double Turned(int n, int h, int part, int d)
            {
                if (part == 2)
                    return At(n, h, part, d);
                var half = Size / 2;
                var frequency = (double)(Half)(float)(1 / Math.Pow(10000, d % half / (double)half));
                var angle = (n >= start && mask is { } place ? place : n) * frequency;
                var other = d < half ? -At(n, h, part, d + half) : At(n, h, part, d - half);
                return (At(n, h, part, d) * Math.Cos(angle)) + (other * Math.Sin(angle));
            }

            x = Sum(alpha, read, Linear(Attend(Turned, tokens.Length, start), layer + "attention.dense"));
            read = Norm(x, layer + "post_attention_layernorm");
            var inner = Linear(read, layer + "mlp.dense_h_to_4h");
            var f = inner.Length / tokens.Length / 2;
            var gated = Enumerable.Range(0, tokens.Length * f)
                .Select(at => inner[(at / f * 2 * f) + (at % f)] * ReferenceActivation.Apply(Activation.Gelu, inner[(at / f * 2 * f) + f + (at % f)])).ToArray();
            x = Sum(alpha, read, Linear(gated, layer + "mlp.dense_4h_to_h"));
        }

        return ReferenceLinear.Apply(Norm(x, "transformer.final_layernorm"), words, [], hidden);
    }

    /// <summary>softmax(q·kᵀ/√D)·v, where a token sees those before it and all before <paramref name="start"/>.</summary>
    private double[] Attend(Func<int, int, int, int, double> joint, int count, int start)
    {
        var result = new double[count * hidden];
        for (var n = 0; n < count; n++)
        {
            for (var h = 0; h < heads; h++)
            {
                var weights = Enumerable.Range(0, Math.Max(n + 1, start))
                    .Select(t => Enumerable.Range(0, Size).Sum(d => joint(n, h, 0, d) * joint(t, h, 1, d)) / Math.Sqrt(Size)).ToArray();
                ReferenceAttention.Softmax(weights);
                for (var d = 0; d < Size; d++)
                    result[(((n * heads) + h) * Size) + d] = weights.Select((weight, t) => weight * joint(t, h, 2, d)).Sum();
            }
        }

        return result;
    }

    private double[] Linear(double[] x, string module) => ReferenceLinear.Apply(
        x, tensors[module + ".weight"], tensors[module + ".bias"], tensors[module + ".weight"].Length / tensors[module + ".bias"].Length);

    private double[] Norm(double[] x, string module) => ReferenceNorm.Layer(x, tensors[module + ".weight"], tensors[module + ".bias"], Epsilon);

    private static double[] Sum(double scale, double[] x, double[] y) => [.. x.Zip(y, (a, b) => (scale * a) + b)];
}

using Weft.Models;

namespace Weft.Reference;

/// <summary>
/// Multi-head latent attention as DeepSeek-V2 defines it (arXiv 2405.04434, section 2.1.2 and appendix C): every head's own keys and values are computed
/// from the latent vectors.
/// </summary>
public static class ReferenceLatentAttention
{
    /// <summary>A product with a tensor: name without ".weight", input, its width, whether there is a bias.</summary>
    public delegate double[] Product(string name, double[] input, int inputs, bool bias);

    /// <summary>What the heads give.</summary>
    /// <param name="x">[N, C].</param>
    /// <param name="positions">[N].</param>
    /// <param name="attention">Sizes.</param>
    /// <param name="linear">Products.</param>
    /// <param name="norm">Norms: name, input, width.</param>
    /// <param name="tensor">A tensor by its name.</param>
    /// <param name="hiddenSize">C.</param>
    /// <returns>[N, H · value size].</returns>
    public static double[] Apply(
        double[] x, int[] positions, AttentionDescription attention, Product linear, Func<string, double[], int, double[]> norm, Func<string, double[]> tensor, int hiddenSize)
    {
        var latent = attention.Latent!;
        var (heads, rank, plain, turned) = (attention.QueryHeads, latent.Rank, latent.PlainSize, attention.HeadSize - latent.Rank);
        var (source, inputs) = latent.QueryRank is { } queryRank
            ? (norm("query_latent_norm", linear("query_latent", x, hiddenSize, attention.InputBias), queryRank), queryRank)
            : (x, hiddenSize);
        var plainQueries = linear("query", source, inputs, false);
        var turnedQueries = linear("query_turned", source, inputs, false);
        var turnedKeys = linear("key_turned", x, hiddenSize, attention.InputBias);
        var latents = norm("latent_norm", linear("latent", x, hiddenSize, attention.InputBias), rank);
        ReferenceRotary.Apply(turnedQueries, positions, attention.Rotary! with { Size = null }, turned);
        ReferenceRotary.Apply(turnedKeys, positions, attention.Rotary! with { Size = null }, turned);

        // Keys and values have different sizes: zeros fill up the smaller ones.
        var size = Math.Max(turned + plain, latent.ValueSize);
        var (q, k, v) = (new double[positions.Length * heads * size], new double[positions.Length * heads * size], new double[positions.Length * heads * size]);
        for (var n = 0; n < positions.Length; n++)
        {
            var c = latents.AsSpan(n * rank, rank);
            for (var h = 0; h < heads; h++)
            {
                var at = ((n * heads) + h) * size;
                turnedQueries.AsSpan(((n * heads) + h) * turned, turned).CopyTo(q.AsSpan(at));
                plainQueries.AsSpan(((n * heads) + h) * plain, plain).CopyTo(q.AsSpan(at + turned));
                turnedKeys.AsSpan(n * turned, turned).CopyTo(k.AsSpan(at));
                for (var i = 0; i < plain; i++)
                {
                    for (var l = 0; l < rank; l++)
                        k[at + turned + i] += tensor("query_to_latent.weight")[(((h * rank) + l) * plain) + i] * c[l];
                }

                ReferenceLinear.Apply(c, tensor("value.weight").AsSpan(h * latent.ValueSize * rank, latent.ValueSize * rank), [], rank).CopyTo(v.AsSpan(at));
            }
        }

        var each = attention with { KeyValueHeads = heads, HeadSize = size };
        var mixed = ReferenceAttention.Apply(q, k, v, positions, each, attention.Sinks ? tensor("sinks") : []);
        return [.. Enumerable.Range(0, positions.Length * heads).SelectMany(row => mixed.Skip(row * size).Take(latent.ValueSize))];
    }
}

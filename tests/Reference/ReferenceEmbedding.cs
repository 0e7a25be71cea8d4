namespace Weft.Reference;

/// <summary>The embedding of a text: hidden states pooled, then of length one.</summary>
public static class ReferenceEmbedding
{
    /// <summary>Pools the hidden states [N, C].</summary>
    public static double[] Pool(double[] hidden, int width, Pooling pooling)
    {
        var first = pooling == Pooling.Last ? hidden.Length - width : 0;
        var sum = new double[width];
        for (var i = first; i < hidden.Length; i++)
            sum[i % width] += hidden[i];
        var length = Math.Sqrt(sum.Sum(x => x * x));
        return Array.ConvertAll(sum, x => x / length);
    }
}

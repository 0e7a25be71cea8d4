namespace Weft.Reference;

/// <summary>Norms over the last dimension.</summary>
public static class ReferenceNorm
{
    /// <summary>x / sqrt(mean(x²) + ε) · w of each row (Zhang and Sennrich 2019, arXiv 1910.07467).</summary>
    /// <param name="x">[N, C].</param>
    /// <param name="weight">[C].</param>
    /// <param name="epsilon">ε under the root.</param>
    /// <returns>[N, C].</returns>
    public static double[] Rms(ReadOnlySpan<double> x, ReadOnlySpan<double> weight, double epsilon)
    {
        var result = new double[x.Length];
        for (var row = 0; row < x.Length; row += weight.Length)
        {
            var sum = 0.0;
            for (var c = 0; c < weight.Length; c++)
                sum += x[row + c] * x[row + c];
            var scale = 1 / Math.Sqrt((sum / weight.Length) + epsilon);
            for (var c = 0; c < weight.Length; c++)
                result[row + c] = x[row + c] * scale * weight[c];
        }

        return result;
    }
}

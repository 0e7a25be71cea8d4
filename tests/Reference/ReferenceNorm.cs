using Weft.Models;

namespace Weft.Reference;

/// <summary>Norms over the last dimension.</summary>
public static class ReferenceNorm
{
    /// <summary>A norm of each stretch of <paramref name="size"/> elements, with the weights and biases [W] of rows that hold a whole number of them.</summary>
    /// <param name="norm">Formula and ε.</param>
    /// <param name="x">[N, W].</param>
    /// <param name="weight">[W], or empty.</param>
    /// <param name="bias">[W], or empty.</param>
    /// <param name="size">Elements that share mean and variance.</param>
    /// <returns>[N, W].</returns>
    public static double[] Apply(NormDescription norm, ReadOnlySpan<double> x, ReadOnlySpan<double> weight, ReadOnlySpan<double> bias, int size)
    {
        var ones = new double[size];
        Array.Fill(ones, 1);
        var result = norm.Kind == NormKind.Rms ? Rms(x, ones, norm.Epsilon) : Layer(x, ones, [], norm.Epsilon);
        for (var i = 0; i < result.Length; i++)
            result[i] = (result[i] * (weight.IsEmpty ? 1 : weight[i % weight.Length])) + (bias.IsEmpty ? 0 : bias[i % bias.Length]);
        return result;
    }

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

    /// <summary>(x − mean(x)) / sqrt(var(x) + ε) · w + b of each row (Ba et al. 2016, arXiv 1607.06450).</summary>
    /// <param name="x">[N, C].</param>
    /// <param name="weight">[C].</param>
    /// <param name="bias">[C], or empty for none.</param>
    /// <param name="epsilon">ε under the root.</param>
    /// <returns>[N, C].</returns>
    public static double[] Layer(ReadOnlySpan<double> x, ReadOnlySpan<double> weight, ReadOnlySpan<double> bias, double epsilon)
    {
        var result = new double[x.Length];
        var width = weight.Length;
        for (var row = 0; row < x.Length; row += width)
        {
            var (mean, variance) = (0.0, 0.0);
            for (var c = 0; c < width; c++)
                mean += x[row + c] / width;
            for (var c = 0; c < width; c++)
                variance += (x[row + c] - mean) * (x[row + c] - mean) / width;
            var scale = 1 / Math.Sqrt(variance + epsilon);
            for (var c = 0; c < width; c++)
                result[row + c] = ((x[row + c] - mean) * scale * weight[c]) + (bias.IsEmpty ? 0 : bias[c]);
        }

        return result;
    }
}

namespace Weft.Reference;

/// <summary>The linear layer.</summary>
public static class ReferenceLinear
{
    /// <summary>x·Wᵀ + b.</summary>
    /// <param name="x">[N, K].</param>
    /// <param name="weight">[M, K].</param>
    /// <param name="bias">[M], or empty for none.</param>
    /// <param name="inputs">K.</param>
    /// <returns>[N, M].</returns>
    public static double[] Apply(ReadOnlySpan<double> x, ReadOnlySpan<double> weight, ReadOnlySpan<double> bias, int inputs)
    {
        var (n, m) = (x.Length / inputs, weight.Length / inputs);
        var result = new double[n * m];
        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j < m; j++)
            {
                var sum = bias.IsEmpty ? 0 : bias[j];
                for (var k = 0; k < inputs; k++)
                    sum += x[(i * inputs) + k] * weight[(j * inputs) + k];
                result[(i * m) + j] = sum;
            }
        }

        return result;
    }
}

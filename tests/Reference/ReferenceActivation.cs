using Weft.Models;

namespace Weft.Reference;

/// <summary>The nonlinearities of feed-forward blocks.</summary>
public static class ReferenceActivation
{
    /// <summary>The activation of one number.</summary>
    public static double Apply(Activation activation, double x) => activation switch
    {
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Gelu => 0.5 * x * Erfc(-x / Math.Sqrt(2)),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        Activation.Relu => Math.Max(x, 0),
        Activation.ReluSquared => Math.Max(x, 0) * Math.Max(x, 0),
        Activation.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        Activation.Sigmoid => 1 / (1 + Math.Exp(-x)),
        Activation.Tanh => Math.Tanh(x),
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, null),
    };

    /// <summary>
    /// 1 − erf(x) = 2/√π ∫ exp(−t²) from x to ∞: the Maclaurin series below 2.5, above it the continued fraction (Abramowitz and
    /// Stegun 7.1.6 and 7.1.14), each run until it no longer changes or long beyond.
    /// </summary>
    public static double Erfc(double x)
    {
        if (x < 0)
            return 2 - Erfc(-x);
        if (x < 2.5)
        {
            var (term, sum) = (x, x);
            for (var n = 1; term > 1e-18 * sum; n++)
                sum += term *= 2 * x * x / ((2 * n) + 1);
            return 1 - (2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum);
        }

        var fraction = x;
        for (var n = 200; n >= 1; n--)
            fraction = x + (n / 2.0 / fraction);
        return Math.Exp(-x * x) / (Math.Sqrt(Math.PI) * fraction);
    }
}

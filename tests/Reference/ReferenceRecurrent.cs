using Weft.Models;

namespace Weft.Reference;

/// <summary>
/// Blocks that carry a state, one sequence from its first token, as their papers define them and without anything done for speed or range.
/// </summary>
public static class ReferenceRecurrent
{
    /// <summary>x[n − 1] − x[n] of each row, with zeros before the first.</summary>
    /// <param name="x">[N, C].</param>
    /// <param name="width">C.</param>
    public static double[] Shift(double[] x, int width)
    {
        ArgumentNullException.ThrowIfNull(x);
        return [.. x.Select((value, i) => (i < width ? 0 : x[i - width]) - value)];
    }

    /// <summary>
    /// RWKV-4's average (arXiv 2305.13048, equation 14): all earlier tokens summed anew for each, with weights e^(decay · distance + key), and the token itself
    /// with e^(first + key).
    /// </summary>
    public static double[] Average(double[] decay, double[] first, double[] k, double[] v)
    {
        ArgumentNullException.ThrowIfNull(decay);
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(k);
        ArgumentNullException.ThrowIfNull(v);
        var width = decay.Length;
        var y = new double[v.Length];
        for (var t = 0; t < v.Length / width; t++)
        {
            for (var c = 0; c < width; c++)
            {
                var now = Math.Exp(first[c] + k[(t * width) + c]);
                var (above, below) = (now * v[(t * width) + c], now);
                for (var i = 0; i < t; i++)
                {
                    var weight = Math.Exp((decay[c] * (t - 1 - i)) + k[(i * width) + c]);
                    above += weight * v[(i * width) + c];
                    below += weight;
                }

                y[(t * width) + c] = above / below;
            }
        }

        return y;
    }

    /// <summary>RWKV-5's and -6's heads (arXiv 2404.05892, equations 7 and 19): r · (diag(first) · kᵀv + S), S = diag(w) · S + kᵀv.</summary>
    /// <param name="w">[N, A], or [A] where the decay is the same for every token.</param>
    /// <param name="first">[A].</param>
    /// <param name="r">[N, A].</param>
    /// <param name="k">[N, A].</param>
    /// <param name="v">[N, A].</param>
    /// <param name="size">S.</param>
    public static double[] Decay(double[] w, double[] first, double[] r, double[] k, double[] v, int size)
    {
        ArgumentNullException.ThrowIfNull(w);
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(r);
        ArgumentNullException.ThrowIfNull(k);
        ArgumentNullException.ThrowIfNull(v);
        var width = first.Length;
        var y = new double[v.Length];
        var state = new double[width, size];
        for (var t = 0; t < v.Length / width; t++)
        {
            for (var i = 0; i < width; i++)
            {
                for (var j = 0; j < size; j++)
                {
                    var target = (t * width) + (i / size * size) + j;
                    var product = k[(t * width) + i] * v[target];
                    y[target] += r[(t * width) + i] * ((first[i] * product) + state[i, j]);
                    state[i, j] = (w[w.Length == width ? i : (t * width) + i] * state[i, j]) + product;
                }
            }
        }

        return y;
    }

    /// <summary>
    /// RWKV-7's heads (arXiv 2503.14456, equations 16 to 18): S = S · (diag(w) − κᵀ(a ∘ κ)) + vᵀk with κ of length one, then S · rᵀ. S is [value, key].
    /// </summary>
    /// <param name="r">[N, A].</param>
    /// <param name="w">[N, A].</param>
    /// <param name="kappa">[N, A], of any length.</param>
    /// <param name="k">[N, A].</param>
    /// <param name="v">[N, A].</param>
    /// <param name="a">[N, A].</param>
    /// <param name="width">A.</param>
    /// <param name="size">S.</param>
    public static double[] DeltaRule(double[] r, double[] w, double[] kappa, double[] k, double[] v, double[] a, int width, int size)
    {
        ArgumentNullException.ThrowIfNull(v);
        var y = new double[v.Length];
        for (var head = 0; head < width; head += size)
        {
            var state = new double[size, size];
            for (var start = head; start < v.Length; start += width)
            {
                double[] Part(double[] x) => x[start..(start + size)];
                var unit = Part(kappa);
                var length = Math.Sqrt(unit.Sum(x => x * x));
                unit = Array.ConvertAll(unit, x => x / length);
                var (key, value, decay, rate, receptance) = (Part(k), Part(v), Part(w), Part(a), Part(r));
                for (var j = 0; j < size; j++)
                {
                    var held = 0.0;
                    for (var i = 0; i < size; i++)
                        held += state[j, i] * unit[i];
                    for (var i = 0; i < size; i++)
                    {
                        state[j, i] = (state[j, i] * decay[i]) - (held * rate[i] * unit[i]) + (value[j] * key[i]);
                        y[start + j] += state[j, i] * receptance[i];
                    }
                }
            }
        }

        return y;
    }

    /// <summary>A causal convolution of each channel with zeros before the first token, then silu.</summary>
    /// <param name="x">[N, C].</param>
    /// <param name="weight">[taps, C].</param>
    /// <param name="bias">[C], or empty.</param>
    /// <param name="width">C.</param>
    public static double[] Convolution(double[] x, double[] weight, double[] bias, int width)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(bias);
        var taps = weight.Length / width;
        var y = new double[x.Length];
        for (var i = 0; i < x.Length; i++)
        {
            var sum = bias.Length == 0 ? 0 : bias[i % width];
            for (var tap = 0; tap < taps; tap++)
            {
                var source = i - ((taps - 1 - tap) * width);
                sum += source < 0 ? 0 : weight[(tap * width) + (i % width)] * x[source];
            }

            y[i] = sum / (1 + Math.Exp(-sum));
        }

        return y;
    }

    /// <summary>
    /// Mamba's scan (arXiv 2312.00752, equation 2 and algorithm 2; arXiv 2405.21060, equation 16 and section 7): h = e^(Δ · A) · h + Δ · B · x,
    /// y = C · h + skip · x, with A = −e^decay.
    /// </summary>
    /// <param name="space">Sizes.</param>
    /// <param name="decay">[I, N], or [H].</param>
    /// <param name="skip">[I], or [H].</param>
    /// <param name="x">[N, I].</param>
    /// <param name="step">[N, I], or [N, H]: before softplus.</param>
    /// <param name="b">[N, G · N].</param>
    /// <param name="c">[N, G · N].</param>
    public static double[] Scan(StateSpaceDescription space, double[] decay, double[] skip, double[] x, double[] step, double[] b, double[] c)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(skip);
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(decay);
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(c);
        var (width, n, steps) = (space.Width, space.StateSize, skip.Length);
        var groups = Math.Max(space.Groups, 1);
        var y = new double[x.Length];
        for (var channel = 0; channel < width; channel++)
        {
            var own = channel / (width / steps);
            var group = channel / (width / groups);
            var state = new double[n];
            for (var t = 0; t < x.Length / width; t++)
            {
                var input = x[(t * width) + channel];
                var delta = Math.Log(1 + Math.Exp(step[(t * steps) + own]));
                delta = Math.Min(Math.Max(delta, space.StepMin ?? delta), space.StepMax ?? delta);
                for (var i = 0; i < n; i++)
                {
                    var rate = -Math.Exp(decay.Length == steps ? decay[own] : decay[(channel * n) + i]);
                    state[i] = (Math.Exp(delta * rate) * state[i]) + (delta * b[(((t * groups) + group) * n) + i] * input);
                    y[(t * width) + channel] += c[(((t * groups) + group) * n) + i] * state[i];
                }

                y[(t * width) + channel] += skip[own] * input;
            }
        }

        return y;
    }
}

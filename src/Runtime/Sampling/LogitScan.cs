using System.Numerics;
using System.Runtime.InteropServices;

namespace Weft.Sampling;

/// <summary>The passes over a row of logits [V] that sampling consists of, vectorised; V is up to a quarter million.</summary>
internal static class LogitScan
{
    /// <summary>The largest logit, or NaN when any is NaN.</summary>
    public static float Max(ReadOnlySpan<float> logits)
    {
        // Vector.Max propagates NaN, as MathF.Max does: one NaN anywhere arrives at the end.
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(logits);
        var (a, b) = (new Vector<float>(float.NegativeInfinity), new Vector<float>(float.NegativeInfinity));
        var i = 0;
        for (; i + 2 <= vectors.Length; i += 2)
        {
            a = Vector.Max(a, vectors[i]);
            b = Vector.Max(b, vectors[i + 1]);
        }

        if (i < vectors.Length)
            a = Vector.Max(a, vectors[i]);
        a = Vector.Max(a, b);
        var max = float.NegativeInfinity;
        for (var lane = 0; lane < Vector<float>.Count; lane++)
            max = MathF.Max(max, a[lane]);
        foreach (var logit in logits[(vectors.Length * Vector<float>.Count)..])
            max = MathF.Max(max, logit);
        return max;
    }

    /// <summary>The first index from <paramref name="start"/> on whose logit is at least <paramref name="bound"/>, or V.</summary>
    public static int NextAtLeast(ReadOnlySpan<float> logits, int start, float bound)
    {
        var bounds = new Vector<float>(bound);
        while (start + Vector<float>.Count <= logits.Length && !Vector.GreaterThanOrEqualAny(new Vector<float>(logits[start..]), bounds))
            start += Vector<float>.Count;
        while (start < logits.Length && !(logits[start] >= bound))
            start++;
        return start;
    }
}

namespace Weft.Reference;

/// <summary>How far a result is from what was expected.</summary>
public static class ErrorMeasure
{
    /// <summary>‖actual − expected‖ / ‖expected‖; the absolute norm when the expected values are all zero. NaN where a value is NaN.</summary>
    public static double RelativeRms(ReadOnlySpan<double> actual, ReadOnlySpan<double> expected)
    {
        RequireSameLength(actual, expected);
        var (error, norm) = (0.0, 0.0);
        for (var i = 0; i < expected.Length; i++)
        {
            error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
            norm += expected[i] * expected[i];
        }

        return Math.Sqrt(norm == 0 ? error : error / norm);
    }

    /// <summary>The median of the relative RMS errors of rows, for models in which a rounding can send a token another way.</summary>
    public static double MedianRowRms(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected, int width)
    {
        RequireSameLength(Widen(actual), expected);
        var errors = new double[expected.Length / width];
        for (var row = 0; row < errors.Length; row++)
            errors[row] = RelativeRms(actual.Slice(row * width, width), expected.Slice(row * width, width));
        Array.Sort(errors);
        return errors[errors.Length / 2];
    }

    /// <summary>The largest |actual − expected|; NaN when a value is NaN.</summary>
    public static double MaxDifference(ReadOnlySpan<double> actual, ReadOnlySpan<double> expected)
    {
        RequireSameLength(actual, expected);
        var max = 0.0;
        for (var i = 0; i < expected.Length; i++)
            max = Math.Max(max, Math.Abs(actual[i] - expected[i]));
        return max;
    }

    /// <summary><see cref="RelativeRms(ReadOnlySpan{double}, ReadOnlySpan{double})"/> of a float result.</summary>
    public static double RelativeRms(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected) => RelativeRms(Widen(actual), expected);

    /// <summary><see cref="MaxDifference(ReadOnlySpan{double}, ReadOnlySpan{double})"/> of a float result.</summary>
    public static double MaxDifference(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected) => MaxDifference(Widen(actual), expected);

    private static double[] Widen(ReadOnlySpan<float> values) => Array.ConvertAll(values.ToArray(), v => (double)v);

    private static void RequireSameLength(ReadOnlySpan<double> actual, ReadOnlySpan<double> expected)
    {
        if (actual.Length != expected.Length)
            throw new ArgumentException($"{actual.Length} values were computed, {expected.Length} expected.");
    }
}

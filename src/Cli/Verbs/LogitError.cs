namespace Weft.Cli.Verbs;

/// <summary>How far computed logits are from expected ones; sums in double, so that rows can be added one after another.</summary>
/// <param name="SquaredError">‖a − e‖².</param>
/// <param name="SquaredExpected">‖e‖².</param>
/// <param name="Max">Largest |a − e|.</param>
internal readonly record struct LogitError(double SquaredError, double SquaredExpected, double Max)
{
    /// <summary>‖a − e‖ / ‖e‖; NaN logits make it NaN, which is below no tolerance.</summary>
    public double RelativeRms => SquaredExpected == 0 ? 0 : Math.Sqrt(SquaredError / SquaredExpected);

    /// <summary>The error of <paramref name="actual"/> against <paramref name="expected"/>, of the same length.</summary>
    public static LogitError Between(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected) => default(LogitError).With(actual, expected);

    /// <summary>This error with more logits.</summary>
    public LogitError With(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected)
    {
        var (error, reference, max) = (SquaredError, SquaredExpected, Max);
        for (var i = 0; i < expected.Length; i++)
        {
            var difference = (double)actual[i] - expected[i];
            error += difference * difference;
            reference += (double)expected[i] * expected[i];
            max = Math.Max(max, Math.Abs(difference));
        }

        return new(error, reference, max);
    }
}

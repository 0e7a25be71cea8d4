namespace Weft.Daemon.Operations;

/// <summary>Upper bounds of histograms' buckets: vLLM's, with smaller ones where small models are faster than those reach.</summary>
internal static class Buckets
{
    private static readonly double[] FirstToken =
        [0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560];

    private static readonly double[] BetweenTokens =
        [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];

    private static readonly double[] Request =
        [0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];

    private static readonly double[] Tokens =
        [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000];

    private static readonly double[] StepTokens = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384];

    /// <summary>The bounds of an instrument's histogram.</summary>
    public static double[] For(string instrument) => instrument switch
    {
        "time_to_first_token_seconds" => FirstToken,
        "inter_token_latency_seconds" => BetweenTokens,
        "iteration_tokens_total" => StepTokens,
        _ when instrument.EndsWith("_seconds", StringComparison.Ordinal) => Request,
        _ => Tokens,
    };
}

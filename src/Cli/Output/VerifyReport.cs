using System.Globalization;

namespace Weft.Cli.Output;

/// <summary>What <c>weft verify</c> found.</summary>
/// <param name="Model">Path as given.</param>
/// <param name="Expected">Path of the expected values.</param>
/// <param name="Device">What it ran on.</param>
/// <param name="Cache">Element type of the key/value cache.</param>
/// <param name="Tolerance">Largest relative RMS that passes.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="RelativeRms">‖logits − expected‖ / ‖expected‖ over the prompt.</param>
/// <param name="MaxDifference">Largest difference of a logit over the prompt.</param>
/// <param name="GreedyTokens">Tokens of the expected continuation; 0 when the file has none.</param>
/// <param name="GreedyMatched">Those predicted.</param>
/// <param name="GreedyWithinMargin">Those not predicted where the expected choice is closer than <paramref name="MaxDifference"/>.</param>
/// <param name="FirstWrongStep">First step that is wrong beyond that margin, or null.</param>
/// <param name="GreedyRelativeRms">Relative RMS over the continuation.</param>
internal sealed record VerifyReport(
    string Model,
    string Expected,
    string Device,
    string Cache,
    double Tolerance,
    int PromptTokens,
    double RelativeRms,
    double MaxDifference,
    int GreedyTokens,
    int GreedyMatched,
    int GreedyWithinMargin,
    int? FirstWrongStep,
    double GreedyRelativeRms)
{
    /// <summary>Everything agrees.</summary>
    public bool Pass => RelativeRms <= Tolerance && GreedyRelativeRms <= Tolerance && FirstWrongStep is null;

    /// <summary>Writes one line per result and the verdict.</summary>
    public void Write(TextWriter output)
    {
        var invariant = CultureInfo.InvariantCulture;
        output.WriteLine(string.Create(invariant, $"logits  relative RMS {RelativeRms:0.00e+0}, max difference {MaxDifference:0.00e+0} ({PromptTokens} tokens, cache {Cache})"));
        if (GreedyTokens > 0)
        {
            var near = GreedyWithinMargin > 0 ? $", {GreedyWithinMargin} differ within the error" : "";
            var wrong = FirstWrongStep is { } step ? $", wrong at step {step}" : "";
            output.WriteLine(string.Create(invariant, $"greedy  {GreedyMatched}/{GreedyTokens}{near}{wrong}, relative RMS {GreedyRelativeRms:0.00e+0}"));
        }

        output.WriteLine(string.Create(invariant, $"{(Pass ? "PASS" : "FAIL")}  {Model} (tolerance {Tolerance:0e+0})"));
    }
}

using Weft.Models;
using Weft.Reference;

namespace Weft.Runtime.Tests;

[TestFixture]
public sealed class RotaryFrequenciesTests
{
    private static readonly RotaryScaling?[] Scalings =
    [
        null,
        new() { Kind = RotaryScalingKind.Linear, Factor = 4 },
        new() { Kind = RotaryScalingKind.Llama3, Factor = 8, OriginalContextLength = 8192, LowFrequencyFactor = 1, HighFrequencyFactor = 4 },
        new() { Kind = RotaryScalingKind.Yarn, Factor = 16, OriginalContextLength = 4096, BetaFast = 32, BetaSlow = 1, AttentionFactor = 1.2 },
        new() { Kind = RotaryScalingKind.Yarn, Factor = 32, OriginalContextLength = 4096, BetaFast = 32, BetaSlow = 1, AttentionFactor = 1.3, Unrounded = true },
        new()
        {
            Kind = RotaryScalingKind.LongRope, Factor = 32, OriginalContextLength = 4096, AttentionFactor = 1.2,
            Divisors = [.. Enumerable.Range(0, 64).Select(i => 1 + (0.37 * i))],
        },
    ];

    [Test]
    public void Frequencies_match_their_definition(
        [ValueSource(nameof(Scalings))] RotaryScaling? scaling, [Values(34, 64, 128)] int headSize, [Values(10000.0, 500000.0)] double theta)
    {
        var rotary = new RotaryDescription { Theta = theta, Scaling = scaling };
        var frequencies = RotaryFrequencies.Compute(rotary, headSize);
        var expected = ReferenceRotary.Frequencies(rotary, headSize);
        Assert.Multiple(() =>
        {
            Assert.That(frequencies.Inverse, Has.Count.EqualTo(headSize / 2));
            for (var i = 0; i < expected.Length; i++)
            {
                // Frequencies are float32; where a ramp between two of them is nearly zero it multiplies their rounding by ten or so.
                Assert.That(frequencies.Inverse[i], Is.EqualTo(expected[i]).Within(3e-6 * expected[i]), $"dimension {i}");
            }

            Assert.That(frequencies.Magnitude, Is.EqualTo((float)(scaling?.AttentionFactor is > 0 and var factor ? factor : 1)));
        });
    }
}

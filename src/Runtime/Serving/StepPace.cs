using Weft.KvCache;

namespace Weft.Serving;

/// <summary>How many tokens of prompts a step may take beside sequences that wait for their next token, going by the speed of steps before.</summary>
/// <param name="stepTime">How long such a step may take.</param>
/// <param name="most">Most tokens of a step.</param>
internal sealed class StepPace(TimeSpan stepTime, int most)
{
    private const double Weight = 0.25; // of the newest step in the moving average
    private double secondsPerToken;

    /// <summary>Tokens, whole blocks of them; all that fit until a step was measured.</summary>
    public int PromptTokens => secondsPerToken == 0
        ? most
        : (int)Math.Clamp(stepTime.TotalSeconds / secondsPerToken / BlockPool.BlockSize, 1, Math.Max(1, most / BlockPool.BlockSize)) * BlockPool.BlockSize;

    /// <summary>Takes the time of a step.</summary>
    /// <param name="tokens">Tokens that it computed; few say nothing of prompts, since reading the weights takes the most of their time.</param>
    /// <param name="time">How long it took.</param>
    public void Measure(int tokens, TimeSpan time)
    {
        if (tokens < BlockPool.BlockSize)
            return;
        var seconds = time.TotalSeconds / tokens;
        secondsPerToken = secondsPerToken == 0 ? seconds : ((1 - Weight) * secondsPerToken) + (Weight * seconds);
    }
}

namespace Weft.Cli.Verbs;

/// <summary>Log-softmax of one row of logits, accumulated in double.</summary>
internal static class LogProbability
{
    /// <summary>−ln softmax(<paramref name="logits"/> [V])[<paramref name="token"/>], in nats.</summary>
    public static double Negative(ReadOnlySpan<float> logits, int token)
    {
        var largest = float.NegativeInfinity;
        foreach (var logit in logits)
            largest = Math.Max(largest, logit);
        var sum = 0.0;
        foreach (var logit in logits)
            sum += Math.Exp((double)logit - largest);
        return Math.Log(sum) + largest - logits[token];
    }
}

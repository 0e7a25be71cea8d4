namespace Weft.Reference;

/// <summary>Greedy generations against the definition, which computes every token anew from all before it.</summary>
public static class GreedyLoss
{
    /// <summary>How far the definition's logits of drawn tokens are below its highest, at worst, in standard deviations of a row.</summary>
    /// <param name="engine">Generates.</param>
    /// <param name="tiny">Its model.</param>
    /// <param name="prompt">Token ids.</param>
    /// <param name="count">Tokens to draw.</param>
    public static double Worst(Engine engine, TinyModel tiny, int[] prompt, int count)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(tiny);
        int[] tokens = [.. prompt, .. engine.Start(prompt, new() { MaxTokens = count, IgnoreEos = true }).Wait()];
        var width = tiny.Description.VocabularySize;
        var worst = 0.0;
        for (var length = prompt.Length; length < tokens.Length; length++)
        {
            var row = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens.AsSpan(0, length)).AsSpan((length - 1) * width, width).ToArray();
            var mean = row.Average();
            var deviation = Math.Sqrt(row.Average(logit => (logit - mean) * (logit - mean)));
            worst = Math.Max(worst, (row.Max() - row[tokens[length]]) / deviation);
        }

        return worst;
    }
}

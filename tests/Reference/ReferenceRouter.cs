using Weft.Models;

namespace Weft.Reference;

/// <summary>Which experts a token goes through, as the papers that <see cref="ExpertsDescription"/> names define it.</summary>
public static class ReferenceRouter
{
    /// <summary>The experts of one token and their factors.</summary>
    /// <param name="experts">How they are chosen.</param>
    /// <param name="logits">[E].</param>
    /// <param name="bias">[E] for choosing; zeros for none.</param>
    public static IReadOnlyList<(int Expert, double Weight)> Choose(ExpertsDescription experts, double[] logits, double[] bias)
    {
        var scores = logits.ToArray();
        if (experts.Score == RouterScore.Softmax)
            ReferenceAttention.Softmax(scores);
        else
            scores = Array.ConvertAll(scores, logit => 1 / (1 + Math.Exp(-logit)));
        if (experts.Margin is { } margin)
            return [.. OfMargin(logits, experts.Active, margin).Select(one => (one.Expert, (experts.Scale ?? 1) * one.Weight))];
        var keys = scores.Zip(bias, (score, own) => score + own).ToArray();
        var candidates = Enumerable.Range(0, experts.Count);
        if (experts.Groups is { } groups)
        {
            var size = experts.Count / groups.Count;
            var best = Enumerable.Range(0, groups.Count)
                .OrderByDescending(group => keys.Skip(group * size).Take(size).OrderDescending().Take(groups.Leading).Sum()).Take(groups.Active).ToHashSet();
            candidates = candidates.Where(expert => best.Contains(expert / size));
        }

        var chosen = candidates.OrderByDescending(expert => keys[expert]).Take(experts.Active).ToList();
        var sum = experts.Normalized ? chosen.Sum(expert => scores[expert]) : 1;
        return [.. chosen.Select(expert => (expert, (experts.Scale ?? 1) * scores[expert] / sum))];
    }

    /// <summary>SparseMixer without its noise (Liu et al. 2024, arXiv 2409.12136): one after the other, each weighed among those left that are near the largest of these.</summary>
    private static IEnumerable<(int Expert, double Weight)> OfMargin(double[] logits, int active, double margin)
    {
        var left = Enumerable.Range(0, logits.Length).ToList();
        for (var i = 0; i < active; i++)
        {
            var best = left.MaxBy(expert => logits[expert]);
            var near = left.Where(expert => (logits[best] - logits[expert]) / Math.Max(Math.Abs(logits[expert]), logits[best]) <= margin);
            yield return (best, 1 / near.Sum(expert => Math.Exp(logits[expert] - logits[best])));
            left.Remove(best);
        }
    }
}

using Weft.Models;

namespace Weft.Backends.Cuda;

/// <summary>Which of the building blocks have CUDA kernels.</summary>
internal static class CudaBlocks
{
    /// <summary>The blocks of <paramref name="model"/> that have none, in words.</summary>
    public static IReadOnlyList<string> Missing(ModelDescription model) => [.. Blocks(model).Where(block => block.IsUsed).Select(block => block.Name).Distinct()];

    private static IEnumerable<(string Name, bool IsUsed)> Blocks(ModelDescription model)
    {
        foreach (var layer in model.Layers)
        {
            yield return ("queries and keys that are clamped, then normed across heads", layer.Attention is { Clip: not null, QueryKeyNorm.AcrossHeads: true });
            yield return ("latent attention with sizes that are no multiples of 8", layer.Attention is { Latent: { } latent } attention
                && (latent.Rank % 8 != 0 || latent.PlainSize % 8 != 0 || (attention.HeadSize - latent.Rank) % 8 != 0));
            yield return ("time mixing and state spaces", (object?)layer.TimeMix is not null || layer.StateSpace is not null);
            yield return ("feed-forward that shifts tokens", layer.FeedForward?.TokenShift == true);
        }
    }
}

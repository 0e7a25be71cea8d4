using Weft.Backends.Cuda.Kernels;
using Weft.Models;

namespace Weft.Backends.Cuda;

/// <summary>Which of the building blocks have CUDA kernels.</summary>
internal static class CudaBlocks
{
    // Parts of a row that are normed by themselves begin at multiples of 16 bytes.
    private const int PartGranularity = 8;

    /// <summary>The blocks of <paramref name="model"/> that have none, in words.</summary>
    public static IReadOnlyList<string> Missing(ModelDescription model) => [.. Blocks(model).Where(block => block.IsUsed).Select(block => block.Name).Distinct()];

    private static IEnumerable<(string Name, bool IsUsed)> Blocks(ModelDescription model)
    {
        foreach (var layer in model.Layers)
        {
            yield return ("queries and keys that are clamped, then normed across heads", layer.Attention is { Clip: not null, QueryKeyNorm.AcrossHeads: true });
            yield return ("latent attention with sizes that are no multiples of 8", layer.Attention is { Latent: { } latent } attention
                && (latent.Rank % 8 != 0 || latent.PlainSize % 8 != 0 || (attention.HeadSize - latent.Rank) % 8 != 0));
            yield return (
                $"heads of time mixing whose size is no multiple of {PartGranularity} or beyond {StateKernels.MostHeadSize}",
                layer.TimeMix is { Norm: not null } mix && (mix.HeadSize % PartGranularity != 0 || mix.HeadSize > StateKernels.MostHeadSize));
            yield return (
                $"channels of a state space whose state is beyond {Most(layer.StateSpace)} numbers",
                layer.StateSpace is { } channels && channels.StateSize > Most(channels));
            yield return (
                $"norms of a state space's groups whose size is no multiple of {PartGranularity}",
                layer.StateSpace is { Norm: not null, Groups: > 1 } space && space.Width / space.Groups % PartGranularity != 0);
        }
    }

    private static int Most(StateSpaceDescription? space) => StateKernels.MostStateSize(space is { Kind: StateSpaceKind.Dual });
}

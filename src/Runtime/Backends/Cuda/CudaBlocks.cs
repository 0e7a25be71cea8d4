using Weft.Models;

namespace Weft.Backends.Cuda;

/// <summary>Which of the building blocks have CUDA kernels.</summary>
internal static class CudaBlocks
{
    /// <summary>The blocks of <paramref name="model"/> that have none, in words.</summary>
    public static IReadOnlyList<string> Missing(ModelDescription model) => [.. Blocks(model).Where(block => block.IsUsed).Select(block => block.Name).Distinct()];

    private static IEnumerable<(string Name, bool IsUsed)> Blocks(ModelDescription model)
    {
        yield return ("an embedding that is scaled, projected, normed or has positions", model.Embedding is not null);
        yield return ("a model without a final norm", model.FinalNorm is null);
        yield return (NormWord, IsOther(model.FinalNorm));
        yield return ("logits with a bias, scale or cap", model.Head is { Bias: true } or { RowScale: true } or { Scale: not null } or { SoftCap: not null });
        foreach (var layer in model.Layers)
        {
            var attention = layer.Attention;
            yield return ("layers that are not pre-norm", layer.AttentionNorm is null || layer.FeedForwardNorm is null || (layer.AttentionOutputNorm ?? layer.AttentionSumNorm
                ?? layer.FeedForwardOutputNorm ?? layer.FeedForwardSumNorm) is not null);
            yield return ("parallel branches", layer.Parallel);
            yield return ("a scaled residual", layer.ResidualScale is not null);
            yield return (NormWord, IsOther(layer.AttentionNorm) || IsOther(layer.FeedForwardNorm));
            yield return ("norms of queries and keys", attention.QueryKeyNorm is not null);
            yield return ("clamped queries, keys and values", attention.Clip is not null);
            yield return ("attention without rotary embedding", attention.Rotary is null);
            yield return ("heads that turn in part", attention.Rotary?.Size is not null);
            yield return ("ALiBi", attention.AlibiSlopes is not null);
            yield return ("capped scores", attention.SoftCap is not null);
            yield return ("attention sinks", attention.Sinks);
            yield return ("feed-forward without a gate", layer.FeedForward.Plain);
            yield return ($"the activation {layer.FeedForward.Activation}", layer.FeedForward.Activation > Activation.Relu);
        }
    }

    private const string NormWord = "LayerNorm";

    private static bool IsOther(NormDescription? norm) => norm is not null && norm is not { Kind: NormKind.Rms, Bias: false, Weightless: false };
}

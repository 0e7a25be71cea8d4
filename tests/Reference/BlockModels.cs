using Weft.Models;

namespace Weft.Reference;

/// <summary>Small models that between them use every building block beyond those of LLaMA, for backends to be tested with.</summary>
public static class BlockModels
{
    private static readonly NormDescription Rms = new() { Kind = NormKind.Rms, Epsilon = 1e-5f };
    private static readonly NormDescription Layer = new() { Kind = NormKind.Layer, Epsilon = 1e-5f, Bias = true };

    /// <summary>By what is special about them.</summary>
    public static IReadOnlyDictionary<string, ModelDescription> All { get; } = new Dictionary<string, ModelDescription>
    {
        ["layer norm"] = Norms(Layer),
        ["layer norm without bias"] = Norms(Layer with { Bias = false }),
        ["layer norm without weight"] = Norms(Layer with { Bias = false, Weightless = true }),
        ["positions"] = Layers(layer => layer with { Attention = layer.Attention with { Rotary = null } }) with { Embedding = new() { Positions = 256 } },
        ["embedding scale and norm"] = TinyModel.Describe() with { Embedding = new() { Scale = 5.5f, Norm = Layer } },
        ["narrow embedding"] = TinyModel.Describe(tied: true) with { Embedding = new() { Width = 40, Positions = 256 } },
        ["plain feed-forward"] = Feed(feed => feed with { Plain = true, Bias = true, Activation = Activation.GeluTanh }),
        ["plain gelu"] = Feed(feed => feed with { Plain = true, Activation = Activation.Gelu }),
        ["plain relu"] = Feed(feed => feed with { Plain = true, Activation = Activation.Relu }),
        ["plain relu²"] = Feed(feed => feed with { Plain = true, Activation = Activation.ReluSquared }),
        ["quick gelu"] = Feed(feed => feed with { Activation = Activation.QuickGelu }),
        ["parallel, one norm"] = Layers(layer => layer with { Parallel = true, FeedForwardNorm = null }),
        ["parallel, two norms"] = Layers(layer => layer with { Parallel = true }),
        ["parallel, output norms"] = Layers(layer => layer with { Parallel = true, AttentionOutputNorm = Rms, FeedForwardOutputNorm = Layer }),
        ["norms of sums"] = Layers(layer => layer with { AttentionNorm = null, FeedForwardNorm = null, AttentionSumNorm = Layer, FeedForwardSumNorm = Layer }) with { FinalNorm = null },
        ["norms of outputs"] = Layers(layer => layer with { AttentionNorm = null, FeedForwardNorm = null, AttentionOutputNorm = Rms, FeedForwardOutputNorm = Rms }),
        ["sandwich"] = Layers(layer => layer with { AttentionOutputNorm = Rms, FeedForwardOutputNorm = Rms }),
        ["deep norm"] = Layers(layer => layer with { ResidualScale = 2.3f, AttentionSumNorm = Layer, FeedForwardSumNorm = Layer, AttentionNorm = null, FeedForwardNorm = null }),
        ["head norms"] = Attention(attention => attention with { QueryKeyNorm = new() { Norm = Rms } }),
        ["head layer norms"] = Attention(attention => attention with { QueryKeyNorm = new() { Norm = Layer } }),
        ["norm across heads"] = Attention(attention => attention with { QueryKeyNorm = new() { Norm = Rms, AcrossHeads = true } }),
        ["partial rotary"] = Attention(attention => attention with { Rotary = attention.Rotary! with { Size = 6 } }),
        ["clamped"] = Attention(attention => attention with { Clip = 0.7f }),
        ["alibi"] = Attention(attention => attention with { Rotary = null, AlibiSlopes = [0.5f, 0.25f, 0.125f, 0.0625f] }),
        ["alibi, window"] = Attention(attention => attention with { Window = 70, AlibiSlopes = [0.5f, 0.25f, 0.125f, 0.0625f] }),
        ["capped scores"] = Attention(attention => attention with { SoftCap = 1.5f }),
        ["sinks"] = Attention(attention => attention with { Sinks = true }),
        ["head bias, scale and cap"] = TinyModel.Describe() with { Head = new() { Tied = false, Bias = true, Scale = 0.3f, SoftCap = 2.5f } },
        ["head row scale"] = TinyModel.Describe() with { Head = new() { Tied = false, RowScale = true } },
        ["windows by layer"] = Layers((layer, i) => layer with { Attention = layer.Attention with { Window = i == 0 ? 9 : null } }),
        ["heads by layer"] = Layers((layer, i) => layer with { Attention = layer.Attention with { KeyValueHeads = i == 0 ? 4 : 1 } }),
    };

    private static ModelDescription Layers(Func<LayerDescription, int, LayerDescription> change)
    {
        var model = TinyModel.Describe();
        return model with { Layers = [.. model.Layers.Select(change)] };
    }

    private static ModelDescription Layers(Func<LayerDescription, LayerDescription> change) => Layers((layer, _) => change(layer));

    private static ModelDescription Attention(Func<AttentionDescription, AttentionDescription> change) => Layers(layer => layer with { Attention = change(layer.Attention) });

    private static ModelDescription Feed(Func<FeedForwardDescription, FeedForwardDescription> change) => Layers(layer => layer with { FeedForward = change(layer.FeedForward) });

    private static ModelDescription Norms(NormDescription norm) => Layers(layer => layer with { AttentionNorm = norm, FeedForwardNorm = norm }) with { FinalNorm = norm };
}

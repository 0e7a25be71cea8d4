using Weft.Models;

namespace Weft.Reference;

/// <summary>Small models that between them use every building block beyond those of LLaMA, for backends to be tested with.</summary>
public static class BlockModels
{
    private static readonly NormDescription Rms = new() { Kind = NormKind.Rms, Epsilon = 1e-5f };
    private static readonly NormDescription Layer = new() { Kind = NormKind.Layer, Epsilon = 1e-5f, Bias = true };

    private static readonly Dictionary<string, Func<ModelDescription, ModelDescription>> Changes = new()
    {
        ["layer norm"] = model => Norms(model, Layer),
        ["layer norm without bias"] = model => Norms(model, Layer with { Bias = false }),
        ["layer norm without weight"] = model => Norms(model, Layer with { Bias = false, Weightless = true }),
        ["positions"] = model => Layers(model, layer => layer with { Attention = layer.Attention! with { Rotary = null } }) with { Embedding = new() { Positions = 256 } },
        ["embedding scale and norm"] = model => model with { Embedding = new() { Scale = 5.5f, Norm = Layer } },
        ["narrow embedding"] = model => model with { Embedding = new() { Width = 40, Positions = 256 }, Head = new() { Tied = true } },
        ["plain feed-forward"] = model => Feed(model, feed => feed with { Plain = true, Bias = true, Activation = Activation.GeluTanh }),
        ["plain gelu"] = model => Feed(model, feed => feed with { Plain = true, Activation = Activation.Gelu }),
        ["plain relu"] = model => Feed(model, feed => feed with { Plain = true, Activation = Activation.Relu }),
        ["plain relu²"] = model => Feed(model, feed => feed with { Plain = true, Activation = Activation.ReluSquared }),
        ["quick gelu"] = model => Feed(model, feed => feed with { Activation = Activation.QuickGelu }),
        ["parallel, one norm"] = model => Layers(model, layer => layer with { Parallel = true, FeedForwardNorm = null }),
        ["parallel, two norms"] = model => Layers(model, layer => layer with { Parallel = true }),
        ["parallel, output norms"] = model => Layers(model, layer => layer with { Parallel = true, AttentionOutputNorm = Rms, FeedForwardOutputNorm = Layer }),
        ["norms of sums"] = model => Layers(model, layer => layer with { AttentionNorm = null, FeedForwardNorm = null, AttentionSumNorm = Layer, FeedForwardSumNorm = Layer }) with { FinalNorm = null },
        ["norms of outputs"] = model => Layers(model, layer => layer with { AttentionNorm = null, FeedForwardNorm = null, AttentionOutputNorm = Rms, FeedForwardOutputNorm = Rms }),
        ["sandwich"] = model => Layers(model, layer => layer with { AttentionOutputNorm = Rms, FeedForwardOutputNorm = Rms }),
        ["deep norm"] = model => Layers(model, layer => layer with { ResidualScale = 2.3f, AttentionSumNorm = Layer, FeedForwardSumNorm = Layer, AttentionNorm = null, FeedForwardNorm = null }),
        ["sums with what is normed"] = model => Layers(model, layer => layer with { NormedResidual = true, AttentionNorm = Layer, FeedForwardNorm = Layer }),
        ["sums with what is normed, normed again"] = model => Layers(model, layer => layer with { NormedResidual = true, AttentionSumNorm = Layer, FeedForwardOutputNorm = Rms, ResidualScale = 1.3f }),
        ["head norms"] = model => Attention(model, attention => attention with { QueryKeyNorm = new() { Norm = Rms } }),
        ["head layer norms"] = model => Attention(model, attention => attention with { QueryKeyNorm = new() { Norm = Layer } }),
        ["head norms after turning"] = model => Attention(model, attention => attention with { QueryKeyNorm = new() { Norm = Rms, AfterTurning = true }, Clip = 2 }),
        ["head layer norms after turning of a part"] = model => Attention(
            model, attention => attention with { QueryKeyNorm = new() { Norm = Layer, AfterTurning = true }, Rotary = attention.Rotary! with { Size = 10 } }),
        ["norm across heads"] = model => Attention(model, attention => attention with { QueryKeyNorm = new() { Norm = Rms, AcrossHeads = true } }),
        ["partial rotary"] = model => Attention(model, attention => attention with { Rotary = attention.Rotary! with { Size = 6 } }),
        ["clamped"] = model => Attention(model, attention => attention with { Clip = 0.7f }),
        ["alibi"] = model => Attention(model, attention => attention with { Rotary = null, AlibiSlopes = [0.5f, 0.25f, 0.125f, 0.0625f] }),
        ["alibi, window"] = model => Attention(model, attention => attention with { Window = 70, AlibiSlopes = [0.5f, 0.25f, 0.125f, 0.0625f] }),
        ["capped scores"] = model => Attention(model, attention => attention with { SoftCap = 1.5f }),
        ["sinks"] = model => Attention(model, attention => attention with { Sinks = true }),
        ["scores that grow"] = model => Attention(model, attention => attention with { LogScaleFrom = 40 }),
        ["dynamic base"] = model => Attention(model, attention => attention with { Rotary = attention.Rotary! with { Scaling = new() { Kind = RotaryScalingKind.Dynamic, Factor = 4, OriginalContextLength = 30 } } }),
        ["frequencies of long texts"] = model => Attention(model, attention => attention with { Rotary = attention.Rotary! with { Scaling = LongRope(attention.Rotary.Size ?? attention.HeadSize) } }),
        ["dynamic base in steps"] = model => Attention(model, attention => attention with { Rotary = attention.Rotary! with { Scaling = new() { Kind = RotaryScalingKind.DynamicSteps, Factor = 1, OriginalContextLength = 30 } } }),
        ["products that decay"] = model => Attention(model, attention => attention with { Rotary = attention.Rotary! with { Decay = new() { Base = 128, Origin = 128 } } }),
        ["products that decay, of a part of each head"] = model => Attention(
            model, attention => attention with { KeyValueHeads = 1, Rotary = attention.Rotary! with { Size = 12, Decay = new() { Base = 90, Origin = 100 } } }),
        ["latent attention"] = model => Latent(model, 32, new() { Rank = 24, PlainSize = 16, ValueSize = 20, Norm = Rms }),
        ["latent attention, latent queries"] = model => Attention(
            Latent(model, 56, new() { Rank = 40, QueryRank = 28, PlainSize = 24, ValueSize = 8, Norm = Rms }), attention => attention with { InputBias = true, OutputBias = true, Window = 70 }),
        ["head bias, scale and cap"] = model => model with { Head = new() { Tied = false, Bias = true, Scale = 0.3f, SoftCap = 2.5f } },
        ["head row scale"] = model => model with { Head = new() { Tied = false, RowScale = true } },
        ["experts"] = model => Feed(model, feed => feed with { Experts = new() { Count = 6, Active = 2 } }),
        ["experts, normalized"] = model => Feed(model, feed => feed with { IntermediateSize = 41, Experts = new() { Count = 7, Active = 3, Normalized = true } }),
        ["experts and a shared one"] = model => Feed(model, feed => feed with { Experts = new() { Count = 5, Active = 3, SharedSize = 70 } }),
        ["experts and a switched one"] = model => Feed(model, feed => feed with { Experts = new() { Count = 5, Active = 1, SharedSize = 72, SharedSwitch = true } }),
        ["experts by sigmoid and bias"] = model => Feed(model, feed => feed with
        {
            IntermediateSize = 40,
            Experts = new() { Count = 6, Active = 3, Score = RouterScore.Sigmoid, SelectionBias = true, Normalized = true, Scale = 2.5f },
        }),
        ["experts in groups by two"] = model => Feed(model, feed => feed with
        {
            IntermediateSize = 24,
            Experts = new()
            {
                Count = 12, Active = 3, Score = RouterScore.Sigmoid, SelectionBias = true, Normalized = true, Scale = 1.5f, SharedSize = 33, Groups = new() { Count = 4, Active = 2, Leading = 2 },
            },
        }),
        ["experts in groups by one"] = model => Feed(model, feed => feed with
        {
            IntermediateSize = 24, Experts = new() { Count = 12, Active = 4, Scale = 3, Groups = new() { Count = 3, Active = 2, Leading = 1 } },
        }),
        ["experts with biases and limits"] = model => Feed(model, feed => feed with
        {
            IntermediateSize = 50, Activation = Activation.QuickGelu, Bias = true, Limit = 0.6f, Experts = new() { Count = 5, Active = 2, RouterBias = true, Normalized = true },
        }),
        ["experts without gates"] = model => Feed(model, feed => feed with
        {
            IntermediateSize = 50, Activation = Activation.Relu, Plain = true, Bias = true, Experts = new() { Count = 4, Active = 2, Normalized = true, SharedSize = 20 },
        }),
        ["experts within a margin"] = model => Feed(model, feed => feed with { IntermediateSize = 40, Experts = new() { Count = 6, Active = 2, Margin = 0.9f } }),
        ["queries of positions"] = model => Layers(model, (layer, i) => layer with { Attention = layer.Attention! with { PositionQueries = i == 1 } }) with { Embedding = new() { QueryPositions = 256 } },
        ["queries of positions, clamped and normed"] = model => Attention(
            model, attention => attention with { PositionQueries = true, Clip = 1.5f, QueryKeyNorm = new() { Norm = Rms }, InputBias = true }) with { Embedding = new() { QueryPositions = 256 } },
        ["virtual tokens"] = model => model with { VirtualTokens = new() { Count = 7 } },
        ["virtual tokens, positions"] = model => Layers(model, layer => layer with { Attention = layer.Attention! with { Rotary = null } }) with
        {
            VirtualTokens = new() { Count = 17 }, Embedding = new() { Positions = 256, Scale = 3, Norm = Layer },
        },
        ["virtual tokens, narrow embedding"] = model => model with { VirtualTokens = new() { Count = 3 }, Embedding = new() { Width = 40 }, Head = new() { Tied = true } },
        ["virtual tokens, static decay"] = model => Mixed(model, new() { Kind = TimeMixKind.StaticDecay, Width = 72, HeadSize = 24, Norm = Layer }) with { VirtualTokens = new() { Count = 5 } },
        ["virtual keys"] = model => model with { VirtualTokens = new() { Count = 20, Keys = true } },
        ["virtual keys, windows and slopes"] = model => Attention(model, attention => attention with
        {
            KeyValueHeads = 1, Rotary = null, Window = 30, AlibiSlopes = [0.5f, 0.25f, 0.125f, 0.0625f],
        }) with { VirtualTokens = new() { Count = 4, Keys = true } },
        ["averages"] = model => Mixed(model, new() { Kind = TimeMixKind.Average, Width = 72 }),
        ["static decay"] = model => Mixed(model, new() { Kind = TimeMixKind.StaticDecay, Width = 72, HeadSize = 24, Norm = Layer }),
        ["dynamic decay"] = model => Mixed(model, new() { Kind = TimeMixKind.DynamicDecay, Width = 64, HeadSize = 32, Norm = Layer, MixRank = 6, DecayRank = 10 }),
        ["delta rule"] = model => Layers(Mixed(model, new() { Kind = TimeMixKind.DeltaRule, Width = 64, HeadSize = 16, Norm = Layer, DecayRank = 8, RateRank = 12, GateRank = 20 }),
            (layer, i) => layer with { TimeMix = layer.TimeMix! with { ValueRank = i == 0 ? 0 : 5 } }),
        ["selective state space"] = model => Spaces(model, new() { Kind = StateSpaceKind.Selective, Width = 100, StateSize = 16, Convolution = 4, ConvolutionBias = true, StepRank = 7 }),
        ["biased selective state space"] = model => Spaces(model, new() { Kind = StateSpaceKind.Selective, Width = 48, StateSize = 11, Convolution = 2, Bias = true, StepRank = 3 }),
        ["selective state space, normed inputs"] = model => Spaces(
            model, new() { Kind = StateSpaceKind.Selective, Width = 80, StateSize = 16, Convolution = 3, ConvolutionBias = true, StepRank = 9, InputNorm = Rms }),
        ["selective state space, inputs normed without weights"] = model => Spaces(
            model, new() { Kind = StateSpaceKind.Selective, Width = 64, StateSize = 13, Convolution = 4, StepRank = 16, InputNorm = Rms with { Weightless = true } }),
        ["dual state space"] = model => Spaces(model, new() { Kind = StateSpaceKind.Dual, Width = 96, StateSize = 24, Convolution = 4, ConvolutionBias = true, Heads = 6, Groups = 2, Norm = Rms }),
        ["biased dual state space"] = model => Spaces(model, new()
        {
            Kind = StateSpaceKind.Dual, Width = 80, StateSize = 17, Convolution = 3, Bias = true, Heads = 4, Groups = 1, Norm = Rms, StepMin = 0.3f, StepMax = 1.2f,
        }),
        ["time mixing beside attention"] = model => Layers(
            Mixed(model, new() { Kind = TimeMixKind.Average, Width = 64 }), (layer, i) => i == 0 ? layer : layer with { TimeMix = null, Attention = model.Layers[i].Attention }),
        ["windows by layer"] = model => Layers(model, (layer, i) => layer with { Attention = layer.Attention! with { Window = i == 0 ? 9 : null } }),
        ["heads by layer"] = model => Layers(model, (layer, i) => layer with { Attention = layer.Attention! with { KeyValueHeads = i == 0 ? 4 : 1 } }),
    };

    /// <summary>What is special about each.</summary>
    public static IEnumerable<string> Names => Changes.Keys;

    /// <summary>A model of two layers.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="headSize">D.</param>
    public static ModelDescription Describe(string name, int headSize = 16) => Changes[name](TinyModel.Describe(headSize: headSize));

    private static ModelDescription Layers(ModelDescription model, Func<LayerDescription, int, LayerDescription> change) => model with { Layers = [.. model.Layers.Select(change)] };

    private static ModelDescription Layers(ModelDescription model, Func<LayerDescription, LayerDescription> change) => Layers(model, (layer, _) => change(layer));

    private static ModelDescription Mixed(ModelDescription model, TimeMixDescription mix) => Layers(model, layer => layer with
    {
        Attention = null,
        TimeMix = mix,
        FeedForward = new()
        {
            Plain = true, IntermediateSize = 90, Activation = Activation.ReluSquared, TokenShift = true, Receptance = mix.Kind != TimeMixKind.DeltaRule,
        },
    });

    private static ModelDescription Spaces(ModelDescription model, StateSpaceDescription space) =>
        Layers(model, layer => layer with { Attention = null, StateSpace = space, FeedForward = null, FeedForwardNorm = null });

    private static RotaryScaling LongRope(int size) => new()
    {
        Kind = RotaryScalingKind.LongRope,
        Factor = 4,
        OriginalContextLength = 30,
        AttentionFactor = 1.2,
        Divisors = [.. Enumerable.Range(0, size / 2).Select(i => 1 + (0.1 * i))],
        LongDivisors = [.. Enumerable.Range(0, size / 2).Select(i => 1.5 + (0.4 * i))],
    };

    private static ModelDescription Attention(ModelDescription model, Func<AttentionDescription, AttentionDescription> change) =>
        Layers(model, layer => layer with { Attention = change(layer.Attention!) });

    private static ModelDescription Latent(ModelDescription model, int size, LatentDescription latent) => Attention(model, attention => attention with
    {
        KeyValueHeads = 1,
        HeadSize = size,
        Scale = 1 / MathF.Sqrt(size - latent.Rank + latent.PlainSize),
        Rotary = attention.Rotary! with { Size = size - latent.Rank },
        Latent = latent,
    });

    private static ModelDescription Feed(ModelDescription model, Func<FeedForwardDescription, FeedForwardDescription> change) =>
        Layers(model, layer => layer with { FeedForward = change(layer.FeedForward!) });

    private static ModelDescription Norms(ModelDescription model, NormDescription norm) =>
        Layers(model, layer => layer with { AttentionNorm = norm, FeedForwardNorm = norm }) with { FinalNorm = norm };
}

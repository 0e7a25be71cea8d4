using Weft.Models;

namespace Weft.Reference;

/// <summary>Small models with an encoder that between them use what encoders add, for backends to be tested with.</summary>
public static class EncoderModels
{
    private static readonly NormDescription Layer = new() { Kind = NormKind.Layer, Epsilon = 1e-5f, Bias = true };

    private static readonly Dictionary<string, Func<ModelDescription, ModelDescription>> Changes = new()
    {
        ["rotary"] = model => model,
        ["bias by distance"] = model => Attend(model, attention => attention with { Rotary = null, BiasDistance = 20 }),
        ["norms of sums, positions"] = model => Attend(Each(model, layer => layer with
        {
            AttentionNorm = null, CrossAttentionNorm = null, FeedForwardNorm = null, AttentionSumNorm = Layer, CrossAttentionSumNorm = layer.CrossAttention is null ? null : Layer, FeedForwardSumNorm = Layer,
        }), attention => attention with { Rotary = null, InputBias = true, OutputBias = true }) with { Embedding = new() { Scale = 3, Positions = 256, Norm = Layer }, FinalNorm = null },
        ["another number of layers and heads"] = model => model with
        {
            Encoder = model.Encoder! with
            {
                Layers = [.. Enumerable.Repeat(model.Encoder.Layers[0] with { Attention = model.Encoder.Layers[0].Attention! with { QueryHeads = 2, KeyValueHeads = 2 } }, 3)],
                StartTokens = [5, 9],
            },
        },
        ["experts"] = model => Each(model, layer => layer with
        {
            FeedForward = layer.FeedForward! with { Plain = true, Bias = true, Activation = Activation.Relu, Experts = new() { Count = 5, Active = 2, Normalized = true, Scale = 0.8f } },
        }),
    };

    /// <summary>What is special about each.</summary>
    public static IEnumerable<string> Names => Changes.Keys;

    /// <summary>A model of two layers in either stack.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="headSize">D.</param>
    public static ModelDescription Describe(string name, int headSize = 16)
    {
        var model = TinyModel.Describe(headSize: headSize);
        var cross = model.Layers[0].Attention! with { Rotary = null };
        var both = model with
        {
            Encoder = new() { Layers = model.Layers, FinalNorm = model.FinalNorm, StartTokens = [3] },
            Layers = [.. model.Layers.Select(layer => layer with { CrossAttentionNorm = layer.AttentionNorm, CrossAttention = cross })],
        };
        var changed = Changes[name](both);
        return changed.Embedding is { } embedding ? changed with { Encoder = changed.Encoder! with { Embedding = embedding, FinalNorm = changed.FinalNorm } } : changed;
    }

    private static ModelDescription Each(ModelDescription model, Func<LayerDescription, LayerDescription> change) => model with
    {
        Layers = [.. model.Layers.Select(change)],
        Encoder = model.Encoder! with { Layers = [.. model.Encoder.Layers.Select(change)] },
    };

    /// <summary>Changes all attention; what attends to the source keeps no positions.</summary>
    private static ModelDescription Attend(ModelDescription model, Func<AttentionDescription, AttentionDescription> change) => Each(model, layer => layer with
    {
        Attention = change(layer.Attention!),
        CrossAttention = layer.CrossAttention is { } cross ? change(cross) with { BiasDistance = null } : null,
    });
}

using Weft.Models;

namespace Weft.Graph;

/// <summary>Writes out a model description as single operations, one tensor each; <see cref="Fusion"/> joins them afterwards.</summary>
public sealed partial class GraphBuilder
{
    private readonly List<Node> nodes = [];
    private AttentionMask mask;
    private Rows rows;
    private int values;
    private int virtualKeys; // tokens whose keys and values are given

    private GraphBuilder()
    {
    }

    /// <summary>Builds the graph of <paramref name="model"/>.</summary>
    public static StepGraph Build(ModelDescription model) => new GraphBuilder().BuildModel(model);

    private StepGraph BuildModel(ModelDescription model)
    {
        if (model.Encoder is { } encoder)
            BuildEncoder(model, encoder);
        virtualKeys = model.VirtualTokens is { Keys: true } tokens ? tokens.Count : 0;
        (rows, mask) = (Rows.Tokens, model.Prefix is null ? AttentionMask.Causal : AttentionMask.Prefix);
        var x = BuildEmbedding(model, model.Embedding ?? new(), "");
        for (var i = 0; i < model.Layers.Count; i++)
            x = BuildLayer(i, TensorSchema.Layer(i), model.Layers[i], x);

        var hidden = NewValue(Rows.Logits, model.HiddenSize);
        nodes.Add(new GatherRowsNode(x, hidden));
        var last = Norm(model.FinalNorm, "final_norm", hidden);
        if (model.Embedding?.Width is { } width)
            last = Linear(TensorSchema.HeadProjection, null, last, width);
        var logits = Linear(
            model.Head.Tied ? TensorSchema.Embedding : TensorSchema.Head, model.Head.Bias ? TensorSchema.HeadBias : null, last, model.VocabularySize);
        if (model.Head is { Scale: not null } or { SoftCap: not null } or { RowScale: true })
            nodes.Add(new ScaleLogitsNode(model.Head, logits));
        return new(nodes, logits, hidden) { StateSize = stateSize };
    }

    /// <summary>From tokens of sources to the keys and values that the layers attend to.</summary>
    private void BuildEncoder(ModelDescription model, EncoderDescription encoder)
    {
        (rows, mask) = (Rows.Source, AttentionMask.Full);
        var x = BuildEmbedding(model, encoder.Embedding ?? new(), TensorSchema.Encoder);
        for (var i = 0; i < encoder.Layers.Count; i++)
            x = BuildLayer(model.EncoderCache, TensorSchema.Encoder + TensorSchema.Layer(i), encoder.Layers[i], x);
        x = Norm(encoder.FinalNorm, TensorSchema.Encoder + "final_norm", x);
        for (var i = 0; i < model.Layers.Count; i++)
        {
            var (prefix, cross) = (TensorSchema.Layer(i) + "cross_attention.", model.Layers[i].CrossAttention!);
            nodes.Add(new CacheWriteNode(
                i, cross, BuildHeads(prefix + "key", cross, x, cross.KeyValueHeads, isTurned: true), BuildHeads(prefix + "value", cross, x, cross.KeyValueHeads, isTurned: false)));
        }
    }

    private Value BuildEmbedding(ModelDescription model, EmbeddingDescription embedding, string prefix)
    {
        var positions = embedding.Positions is null ? null : prefix + TensorSchema.Positions;
        var x = NewValue(rows, embedding.Width ?? model.HiddenSize);
        var virtualRows = model.VirtualTokens is { Keys: false } tokens ? tokens.Count : 0;
        var isRow = embedding.Width is null && virtualRows == 0; // nothing comes between it and its position
        nodes.Add(new EmbeddingNode(TensorSchema.Embedding, embedding.Scale ?? 1, isRow ? positions : null, x));
        if (virtualRows > 0)
            nodes.Add(new VirtualRowsNode(TensorSchema.VirtualTokens, virtualRows, x));
        if (embedding.Width is not null)
            x = Linear(TensorSchema.EmbeddingProjection, null, x, model.HiddenSize);
        if (!isRow && positions is not null)
            x = Map(x, y => new AddPositionsNode(positions, false, x, y));
        if (embedding.SpanPositions is not null)
            x = Map(x, y => new AddPositionsNode(TensorSchema.SpanPositions, true, x, y));

        return Norm(embedding.Norm, prefix + TensorSchema.EmbeddingNorm, x);
    }

    private Value BuildLayer(int cache, string prefix, LayerDescription layer, Value x)
    {
        var scale = layer.ResidualScale ?? 1;
        var normed = Norm(layer.AttentionNorm, prefix + "attention_norm", x);
        if (layer.Parallel)
        {
            var other = layer.FeedForwardNorm is null ? normed : Norm(layer.FeedForwardNorm, prefix + "feed_forward_norm", x);
            var attention = Norm(layer.AttentionOutputNorm, prefix + "attention_output_norm", BuildMixing(cache, prefix, layer, normed));
            var feedForward = Norm(layer.FeedForwardOutputNorm, prefix + "feed_forward_output_norm", BuildFeedForward(prefix + "feed_forward.", layer.FeedForward!, other));
            return Add(1, Add(scale, x, attention), feedForward);
        }

        x = Add(scale, Residual(layer, x, normed), Norm(layer.AttentionOutputNorm, prefix + "attention_output_norm", BuildMixing(cache, prefix, layer, normed)));
        x = Norm(layer.AttentionSumNorm, prefix + "attention_sum_norm", x);
        if (layer.CrossAttention is { } cross)
        {
            normed = Norm(layer.CrossAttentionNorm, prefix + "cross_attention_norm", x);
            x = Add(scale, Residual(layer, x, normed), BuildCrossAttention(cache, prefix + "cross_attention.", cross, normed));
            x = Norm(layer.CrossAttentionSumNorm, prefix + "cross_attention_sum_norm", x);
        }

        if (layer.FeedForward is not { } block)
            return x;
        normed = Norm(layer.FeedForwardNorm, prefix + "feed_forward_norm", x);
        x = Add(scale, Residual(layer, x, normed), Norm(layer.FeedForwardOutputNorm, prefix + "feed_forward_output_norm", BuildFeedForward(prefix + "feed_forward.", block, normed)));
        return Norm(layer.FeedForwardSumNorm, prefix + "feed_forward_sum_norm", x);
    }

    private static Value Residual(LayerDescription layer, Value x, Value normed) => layer.NormedResidual ? normed : x;

    private Value BuildMixing(int cache, string prefix, LayerDescription layer, Value x) => layer switch
    {
        { TimeMix: { } mix } => BuildTimeMix(prefix + "time_mix.", mix, x),
        { StateSpace: { } space } => BuildStateSpace(prefix + "state_space.", space, x),
        _ => BuildAttention(cache, prefix + "attention.", layer.Attention!, x),
    };

    private Value BuildCrossAttention(int cache, string prefix, AttentionDescription attention, Value x)
    {
        var queries = BuildHeads(prefix + "query", attention, x, attention.QueryHeads, isTurned: true);
        return Linear(prefix + "output", attention.OutputBias, Attend(cache, prefix, attention, AttentionMask.Source, queries), x.Width);
    }

    private Value BuildAttention(int cache, string prefix, AttentionDescription attention, Value x)
    {
        if (attention.Latent is { } latent)
            return BuildLatentAttention(cache, prefix, attention, latent, x);
        var asking = attention.PositionQueries ? Map(x, y => new PositionRowsNode(TensorSchema.QueryPositions, y)) : x;
        var q = BuildHeads(prefix + "query", attention, asking, attention.QueryHeads, isTurned: true);
        var k = BuildHeads(prefix + "key", attention, x, attention.KeyValueHeads, isTurned: true);
        var v = BuildHeads(prefix + "value", attention, x, attention.KeyValueHeads, isTurned: false);
        nodes.Add(new CacheWriteNode(cache, attention, k, v));
        if (virtualKeys > 0)
            nodes.Add(new VirtualKeysNode(cache, attention, TensorSchema.VirtualKeys(cache), virtualKeys));
        return Linear(prefix + "output", attention.OutputBias, Attend(cache, prefix, attention, mask, q), x.Width);
    }

    private Value BuildLatentAttention(int cache, string prefix, AttentionDescription attention, LatentDescription latent, Value x)
    {
        var (heads, turned) = (attention.QueryHeads, attention.HeadSize - latent.Rank);
        var source = latent.QueryRank is { } rank ? Norm(latent.Norm, prefix + "query_latent_norm", Linear(prefix + "query_latent", attention.InputBias, x, rank)) : x;
        var plain = Linear(prefix + "query", false, source, heads * latent.PlainSize);
        var turnedQueries = Linear(prefix + "query_turned", false, source, heads * turned);
        var latentQueries = HeadLinear(prefix + "query_to_latent.weight", heads, plain, latent.Rank);
        var key = Linear(prefix + "key_turned", attention.InputBias, x, turned);
        var kept = Norm(latent.Norm, prefix + "latent_norm", Linear(prefix + "latent", attention.InputBias, x, latent.Rank));
        var queries = NewValue(x.Rows, heads * attention.HeadSize);
        nodes.Add(new LatentWriteNode(cache, attention, turnedQueries, latentQueries, key, kept, queries));
        var mixed = HeadLinear(prefix + "value.weight", heads, Attend(cache, prefix, attention, mask, queries), latent.ValueSize);
        return Linear(prefix + "output", attention.OutputBias, mixed, x.Width);
    }

    private Value Attend(int cache, string prefix, AttentionDescription attention, AttentionMask seen, Value queries)
    {
        var mixed = NewValue(queries.Rows, attention.QueryHeads * attention.ValueSize);
        var distances = attention.BiasDistance is null ? null : prefix + TensorSchema.DistanceBias;
        nodes.Add(new AttentionNode(cache, attention, seen, attention.Sinks ? prefix + "sinks" : null, distances, queries, mixed));
        return mixed;
    }

    private Value HeadLinear(string weight, int heads, Value x, int size)
    {
        var y = NewValue(x.Rows, heads * size);
        nodes.Add(new HeadLinearNode(weight, heads, x, y));
        return y;
    }

    /// <summary>A projection clamped; for queries and keys also normed and turned.</summary>
    private Value BuildHeads(string name, AttentionDescription attention, Value x, int heads, bool isTurned)
    {
        var linear = Linear(name, attention.InputBias, x, heads * attention.HeadSize);
        var clamped = attention.Clip is { } limit ? Map(linear, y => new ClampNode(limit, linear, y)) : linear;
        if (!isTurned)
            return clamped;
        var norm = attention.QueryKeyNorm;
        Value Normed(Value heads) => norm is null ? heads : Norm(norm.Norm, name + "_norm", heads, norm.AcrossHeads ? linear.Width : attention.HeadSize);
        Value Turned(Value heads) => attention.Rotary is { } rotary ? Map(heads, y => new RotaryNode(rotary, attention.HeadSize, heads, y)) : heads;
        return norm is { AfterTurning: true } ? Normed(Turned(clamped)) : Turned(Normed(clamped));
    }

    private Value BuildFeedForward(string prefix, FeedForwardDescription block, Value x)
    {
        if (block.TokenShift)
            return BuildShifted(prefix, block, x);
        if (block.Experts is not { } experts)
            return BuildProjections(prefix, block, x);
        var router = Linear(prefix + "router", experts.RouterBias, x, experts.Count);
        var mixed = Map(x, y => new ExpertsNode(block, prefix, router, x, y));
        if (experts.SharedSize is not { } size)
            return mixed;
        var shared = BuildProjections(prefix + "shared.", block with { IntermediateSize = size }, x);
        if (experts.SharedSwitch)
        {
            var (given, onOff) = (shared, Linear(prefix + "switch", false, x, 1));
            shared = Map(given, y => new SwitchNode(onOff, given, y));
        }

        return Add(1, mixed, shared);
    }

    private Value BuildProjections(string prefix, FeedForwardDescription block, Value x)
    {
        var gate = block.Plain ? null : Linear(prefix + "gate", block.Bias, x, block.IntermediateSize);
        var up = Linear(prefix + "up", block.Bias, x, block.IntermediateSize);
        var product = Map(up, y => gate is null ? new ActivationNode(block.Activation, up, y) : new GateNode(block.Activation, gate, up, y));
        return Linear(prefix + "down", block.Bias, product, x.Width);
    }

    /// <summary>A norm, or <paramref name="x"/> itself where there is none.</summary>
    private Value Norm(NormDescription? norm, string name, Value x, int? groupSize = null) =>
        norm is null ? x : Map(x, y => new NormNode(norm, name, groupSize ?? x.Width, x, y));

    private Value Linear(string name, bool bias, Value x, int width) => Linear(name + ".weight", bias ? name + ".bias" : null, x, width);

    private Value Linear(string weight, string? bias, Value x, int width)
    {
        var y = NewValue(x.Rows, width);
        nodes.Add(new LinearNode(weight, bias, x, y));
        return y;
    }

    private Value Add(float scale, Value a, Value b) => Map(a, y => new AddNode(scale, a, b, y));

    /// <summary>Adds a node whose result has the shape of <paramref name="x"/>.</summary>
    private Value Map(Value x, Func<Value, Node> node)
    {
        var y = NewValue(x.Rows, x.Width);
        nodes.Add(node(y));
        return y;
    }

    private Value NewValue(Rows rows, int width) => new(values++, rows, width);
}

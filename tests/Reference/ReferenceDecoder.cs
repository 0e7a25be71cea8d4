using System.Globalization;
using Weft.Models;

namespace Weft.Reference;

/// <summary>A whole model, one sequence from position 0, without a cache: the definition that backends are tested against. A model with an encoder needs <see cref="Source"/>.</summary>
/// <param name="model">What to compute.</param>
/// <param name="tensors">Every tensor that <see cref="TensorSchema"/> asks for, row-major.</param>
public sealed partial class ReferenceDecoder(ModelDescription model, IReadOnlyDictionary<string, double[]> tensors)
{
    /// <summary>Tokens of the prompt, where that makes a difference; 0 for all.</summary>
    public int PromptLength { get; init; }

    /// <summary>What the encoder reads, whole.</summary>
    public IReadOnlyList<int> Source { get; init; } = [];

    /// <summary>The logits [N, V] of <paramref name="tokens"/> [N].</summary>
    public double[] Logits(ReadOnlySpan<int> tokens)
    {
        var x = Hidden(tokens);
        if (model.Embedding?.Width is not null)
            x = ReferenceLinear.Apply(x, tensors[TensorSchema.HeadProjection], [], model.HiddenSize);
        var bias = model.Head.Bias ? tensors[TensorSchema.HeadBias] : [];
        var logits = ReferenceLinear.Apply(x, tensors[model.Head.Tied ? TensorSchema.Embedding : TensorSchema.Head], bias, EmbeddingWidth);
        for (var i = 0; i < logits.Length; i++)
        {
            logits[i] *= (model.Head.Scale ?? 1) * (model.Head.RowScale ? tensors[TensorSchema.HeadRowScale][i % model.VocabularySize] : 1);
            logits[i] = model.Head.SoftCap is { } cap ? cap * Math.Tanh(logits[i] / cap) : logits[i];
        }

        return logits;
    }

    /// <summary>What the head reads [N, C] of <paramref name="tokens"/> [N].</summary>
    public double[] Hidden(ReadOnlySpan<int> tokens)
    {
        // What stands for virtual tokens does not matter.
        int[] all = [.. new int[VirtualTokens], .. tokens];
        var positions = new Positions(model.Prefix, all);
        var source = model.Encoder is { } encoder ? Encode(encoder) : [];
        var x = Norm(Layers(Embed(all, positions, model.Embedding, ""), positions, model.Layers, "", source), "final_norm", model.FinalNorm);
        return x[(VirtualTokens * model.HiddenSize)..];
    }

    private int VirtualTokens => model.VirtualTokens?.Count ?? 0;

    /// <summary>What the layers attend to [S, C]; all tokens of the source see each other.</summary>
    private double[] Encode(EncoderDescription encoder)
    {
        int[] tokens = [.. Source];
        var positions = new Positions(null, tokens) { Prefix = tokens.Length };
        return Norm(Layers(Embed(tokens, positions, encoder.Embedding, TensorSchema.Encoder), positions, encoder.Layers, TensorSchema.Encoder, []), TensorSchema.Encoder + "final_norm", encoder.FinalNorm);
    }

    private double[] Layers(double[] x, Positions positions, IReadOnlyList<LayerDescription> layers, string stack, double[] source)
    {
        for (var i = 0; i < layers.Count; i++)
        {
            var (layer, prefix) = (layers[i], stack + TensorSchema.Layer(i));
            var normed = Norm(x, prefix + "attention_norm", layer.AttentionNorm);
            var attention = Norm(Mixing(normed, positions, layer, prefix), prefix + "attention_output_norm", layer.AttentionOutputNorm);
            if (layer.Parallel)
            {
                var other = layer.FeedForwardNorm is null ? normed : Norm(x, prefix + "feed_forward_norm", layer.FeedForwardNorm);
                var feedForward = Norm(FeedForward(other, layer.FeedForward!, prefix + "feed_forward."), prefix + "feed_forward_output_norm", layer.FeedForwardOutputNorm);
                x = Add(1, Add(layer.ResidualScale ?? 1, x, attention), feedForward);
                continue;
            }

            x = Norm(Add(layer.ResidualScale ?? 1, layer.NormedResidual ? normed : x, attention), prefix + "attention_sum_norm", layer.AttentionSumNorm);
            if (layer.CrossAttention is { } cross)
            {
                normed = Norm(x, prefix + "cross_attention_norm", layer.CrossAttentionNorm);
                var seen = CrossAttention(normed, source, cross, prefix + "cross_attention.");
                x = Norm(Add(layer.ResidualScale ?? 1, layer.NormedResidual ? normed : x, seen), prefix + "cross_attention_sum_norm", layer.CrossAttentionSumNorm);
            }

            if (layer.FeedForward is not { } block)
                continue;
            normed = Norm(x, prefix + "feed_forward_norm", layer.FeedForwardNorm);
            var second = Norm(FeedForward(normed, block, prefix + "feed_forward."), prefix + "feed_forward_output_norm", layer.FeedForwardOutputNorm);
            x = Norm(Add(layer.ResidualScale ?? 1, layer.NormedResidual ? normed : x, second), prefix + "feed_forward_sum_norm", layer.FeedForwardSumNorm);
        }

        return x;
    }

    private double[] CrossAttention(double[] x, double[] source, AttentionDescription attention, string prefix)
    {
        var q = Heads(x, prefix + "query", attention, attention.QueryHeads);
        var k = Heads(source, prefix + "key", attention, attention.KeyValueHeads);
        var v = Linear(source, prefix + "value", model.HiddenSize, attention.InputBias);
        // Every query stands at the last position of the source.
        var places = Enumerable.Repeat((source.Length / model.HiddenSize) - 1, x.Length / model.HiddenSize).ToArray();
        return Linear(ReferenceAttention.Apply(q, k, v, places, attention), prefix + "output", attention.QueryHeads * attention.HeadSize, attention.OutputBias);
    }

    private int EmbeddingWidth => model.Embedding?.Width ?? model.HiddenSize;

    private double[] Embed(ReadOnlySpan<int> tokens, Positions positions, EmbeddingDescription? description, string prefix)
    {
        var x = new double[tokens.Length * EmbeddingWidth];
        for (var n = 0; n < tokens.Length; n++)
            tensors[TensorSchema.Embedding].AsSpan(tokens[n] * EmbeddingWidth, EmbeddingWidth).CopyTo(x.AsSpan(n * EmbeddingWidth));
        x = Array.ConvertAll(x, value => value * (description?.Scale ?? 1));
        if (model.VirtualTokens is { Keys: false })
            tensors[TensorSchema.VirtualTokens].CopyTo(x, 0);
        if (description is not { } embedding)
            return x;
        if (embedding.Width is not null)
            x = ReferenceLinear.Apply(x, tensors[TensorSchema.EmbeddingProjection], [], EmbeddingWidth);
        for (var i = 0; embedding.Positions is not null && i < x.Length; i++)
            x[i] += tensors[prefix + TensorSchema.Positions][(positions.Text[i / model.HiddenSize] * model.HiddenSize) + (i % model.HiddenSize)];
        for (var i = 0; embedding.SpanPositions is not null && i < x.Length; i++)
            x[i] += tensors[TensorSchema.SpanPositions][(positions.Span[i / model.HiddenSize] * model.HiddenSize) + (i % model.HiddenSize)];
        return Norm(x, prefix + TensorSchema.EmbeddingNorm, embedding.Norm);
    }

    private double[] Mixing(double[] x, Positions positions, LayerDescription layer, string prefix) => layer switch
    {
        { TimeMix: { } mix } => TimeMix(x, mix, prefix + "time_mix."),
        { StateSpace: { } space } => StateSpace(x, space, prefix + "state_space."),
        _ => Attention(x, positions, layer.Attention!, prefix + "attention."),
    };

    private double[] Attention(double[] x, Positions positions, AttentionDescription attention, string prefix)
    {
        if (attention.Latent is { } latent)
        {
            var values = ReferenceLatentAttention.Apply(x, positions.Places, attention, (name, input, inputs, bias) => Linear(input, prefix + name, inputs, bias), (name, input, size) =>
                Norm(input, prefix + name, latent.Norm, size), name => tensors[prefix + name], model.HiddenSize);
            return Linear(values, prefix + "output", attention.QueryHeads * latent.ValueSize, attention.OutputBias);
        }

        var asking = attention.PositionQueries
            ? positions.Text.SelectMany(position => tensors[TensorSchema.QueryPositions][(position * model.HiddenSize)..((position + 1) * model.HiddenSize)]).ToArray()
            : x;
        var q = Heads(asking, prefix + "query", attention, attention.QueryHeads);
        var k = Heads(x, prefix + "key", attention, attention.KeyValueHeads);
        var v = Clamp(Linear(x, prefix + "value", model.HiddenSize, attention.InputBias), attention.Clip);
        if (attention.Rotary is { } rotary)
        {
            ReferenceRotary.Apply(q, positions.Text, rotary, attention.HeadSize, PromptLength, positions.Span);
            ReferenceRotary.Apply(k, positions.Text, rotary, attention.HeadSize, PromptLength, positions.Span, isKey: true);
        }

        if (attention.QueryKeyNorm is { AfterTurning: true, Norm: var last })
            (q, k) = (Norm(q, prefix + "query_norm", last, attention.HeadSize), Norm(k, prefix + "key_norm", last, attention.HeadSize));

        for (var n = 0; model.VirtualTokens is { Keys: true } && n < VirtualTokens; n++)
        {
            var (given, width) = (tensors[TensorSchema.VirtualKeys(int.Parse(prefix.Split('.')[1], CultureInfo.InvariantCulture))], attention.KeyValueHeads * attention.HeadSize);
            given[(2 * n * width)..(((2 * n) + 1) * width)].CopyTo(k, n * width);
            given[(((2 * n) + 1) * width)..(2 * (n + 1) * width)].CopyTo(v, n * width);
        }

        var mixed = ReferenceAttention.Apply(q, k, v, positions.Places, attention, attention.Sinks ? tensors[prefix + "sinks"] : [], positions.Prefix,
            attention.BiasDistance is null ? [] : tensors[prefix + TensorSchema.DistanceBias]);
        return Linear(mixed, prefix + "output", attention.QueryHeads * attention.HeadSize, attention.OutputBias);
    }

    private double[] Heads(double[] x, string name, AttentionDescription attention, int heads)
    {
        x = Clamp(Linear(x, name, model.HiddenSize, attention.InputBias), attention.Clip);
        return attention.QueryKeyNorm is { AfterTurning: false } norm ? Norm(x, name + "_norm", norm.Norm, norm.AcrossHeads ? heads * attention.HeadSize : attention.HeadSize) : x;
    }

    private double[] FeedForward(double[] x, FeedForwardDescription block, string prefix) =>
        block.Experts is { } experts ? Mixture(x, block, experts, prefix)
        : block.TokenShift ? ShiftedFeedForward(x, block, prefix) : Projections(x, block, prefix);

    private double[] Mixture(double[] x, FeedForwardDescription block, ExpertsDescription experts, string prefix)
    {
        var c = model.HiddenSize;
        var logits = Linear(x, prefix + "router", c, experts.RouterBias);
        var result = experts.SharedSize is { } size ? Projections(x, block with { IntermediateSize = size }, prefix + "shared.") : new double[x.Length];
        if (experts.SharedSwitch)
        {
            var switches = Linear(x, prefix + "switch", c, false);
            for (var i = 0; i < result.Length; i++)
                result[i] /= 1 + Math.Exp(-switches[i / c]);
        }

        for (var n = 0; n < x.Length / c; n++)
        {
            var bias = experts.SelectionBias ? tensors[prefix + TensorSchema.SelectionBias] : new double[experts.Count];
            foreach (var (expert, weight) in ReferenceRouter.Choose(experts, logits[(n * experts.Count)..((n + 1) * experts.Count)], bias))
            {
                var given = Expert(x[(n * c)..((n + 1) * c)], block, prefix, expert);
                for (var i = 0; i < c; i++)
                    result[(n * c) + i] += weight * given[i];
            }
        }

        return result;
    }

    private double[] Expert(double[] x, FeedForwardDescription block, string prefix, int expert)
    {
        double[] Apply(string name, double[] input, int rows)
        {
            var weights = tensors[$"{prefix}{name}.weight"].AsSpan(expert * rows * input.Length, rows * input.Length);
            return ReferenceLinear.Apply(input, weights, block.Bias ? tensors[$"{prefix}{name}.bias"].AsSpan(expert * rows, rows) : [], input.Length);
        }

        var up = Apply("up", x, block.IntermediateSize);
        var gate = block.Plain ? up : Apply("gate", x, block.IntermediateSize);
        if (block.Limit is { } limit)
        {
            gate = Array.ConvertAll(gate, value => Math.Min(value, limit));
            up = Array.ConvertAll(up, value => Math.Clamp(value, -limit, limit) + 1);
        }

        return Apply("down", [.. gate.Select((value, i) => ReferenceActivation.Apply(block.Activation, value) * (block.Plain ? 1 : up[i]))], model.HiddenSize);
    }

    private double[] Projections(double[] x, FeedForwardDescription block, string prefix)
    {
        var up = Linear(x, prefix + "up", model.HiddenSize, block.Bias);
        var gate = block.Plain ? up : Linear(x, prefix + "gate", model.HiddenSize, block.Bias);
        var product = gate.Select((value, i) => ReferenceActivation.Apply(block.Activation, value) * (block.Plain ? 1 : up[i])).ToArray();
        return Linear(product, prefix + "down", block.IntermediateSize, block.Bias);
    }

    private double[] Norm(double[] x, string name, NormDescription? norm, int? size = null) => norm is null ? x : ReferenceNorm.Apply(
        norm, x, norm.Weightless ? [] : tensors[name + ".weight"], norm.Bias ? tensors[name + ".bias"] : [], size ?? model.HiddenSize);

    private double[] Linear(double[] x, string name, int inputs, bool bias) =>
        ReferenceLinear.Apply(x, tensors[name + ".weight"], bias ? tensors[name + ".bias"] : [], inputs);

    private static double[] Clamp(double[] x, float? limit) => limit is { } most ? Array.ConvertAll(x, value => Math.Clamp(value, -most, most)) : x;

    /// <summary>Where each token is: its place, and where a model has prefixes its positions in the text and in the span (GLM, arXiv 2103.10360).</summary>
    private sealed class Positions
    {
        public Positions(PrefixDescription? description, int[] tokens)
        {
            Places = [.. Enumerable.Range(0, tokens.Length)];
            Text = [.. Places];
            Span = new int[tokens.Length];
            var end = description is null ? -1 : Array.IndexOf(tokens, description.EndToken);
            if (end < 0)
                return;
            Prefix = end;
            var blank = description!.BlankTokens.Select(token => Array.IndexOf(tokens, token, 0, end)).FirstOrDefault(place => place >= 0, -1);
            for (var n = end; n < tokens.Length; n++)
                (Text[n], Span[n]) = (blank < 0 ? n : blank, n - end + 1);
        }

        public int[] Places { get; }

        public int[] Text { get; }

        public int[] Span { get; }

        public int Prefix { get; init; }
    }

    private static double[] Add(double scale, double[] x, double[] y) => [.. x.Zip(y, (a, b) => (scale * a) + b)];
}

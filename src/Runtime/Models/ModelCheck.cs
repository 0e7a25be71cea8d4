namespace Weft.Models;

/// <summary>Says whether the numbers of a model description make sense together, before anything is derived from them.</summary>
public static class ModelCheck
{
    private const int MostBiasDistance = 1 << 16;

    /// <summary>Finds the first thing wrong with <paramref name="model"/>.</summary>
    /// <returns>A clause without a full stop, or null when nothing is wrong.</returns>
    public static string? FindError(ModelDescription model)
    {
        foreach (var (name, size) in (ReadOnlySpan<(string, int)>)[("vocabulary size", model.VocabularySize), ("hidden size", model.HiddenSize), ("context length", model.ContextLength)])
        {
            if (size < 1)
                return $"the {name} is {size}, but must be positive";
        }

        if (FindError(model.FinalNorm) is { } error)
            return error;
        if (model.Embedding is { } embedding)
        {
            if (embedding.Positions is { } rows && rows < model.ContextLength)
                return $"a table of {rows} positions is too short for a context of {model.ContextLength}";
            if (embedding.Width is < 1)
                return "the embedding's width must be positive";
            if (embedding.Scale is { } scale && !float.IsFinite(scale))
                return "the embedding's scale must be finite";
            if (FindError(embedding.Norm) is { } embeddingError)
                return embeddingError;
        }

        if (FindPrefixError(model) is { } prefixError)
            return prefixError;
        if (FindVirtualTokensError(model) is { } virtualError)
            return virtualError;
        if (FindEncoderError(model) is { } encoderError)
            return encoderError;
        if (model.Head.Scale is { } factor && !float.IsFinite(factor))
            return "the logits' scale must be finite";
        if (model.Head.SoftCap is { } cap && !IsPositive(cap))
            return "the logits' cap must be positive";
        if (model.Attentions.Any(attention => attention.PositionQueries) && !(model.Embedding?.QueryPositions >= model.ContextLength))
            return $"queries of positions need a table of {model.ContextLength} rows or more";
        if (model.Layers.Any(layer => layer.Attention is { PositionQueries: true, Latent: not null }))
            return "latent attention makes no queries of positions";
        for (var i = 0; i < model.Layers.Count; i++)
        {
            if (FindError(model.Layers[i], model.HiddenSize) is { } layerError)
                return $"layer {i}: {layerError}";
            if (model.Layers[i].Attention?.Rotary?.Decay is { } decay && !decay.Fits(model.ContextLength))
                return $"layer {i}: over a context of {model.ContextLength} tokens products that decay with a base of {decay.Base} tokens leave the range of float32";
        }

        return RecurrentCheck.FindError(model);
    }

    private static string? FindEncoderError(ModelDescription model)
    {
        if (model.Encoder is not { } encoder)
            return model.Layers.Any(layer => layer.CrossAttention is not null) ? "attention to a source needs an encoder" : null;
        if (encoder.StartTokens.Count == 0 || encoder.StartTokens.Count >= model.ContextLength || encoder.StartTokens.Any(token => token < 0 || token >= model.VocabularySize))
            return $"what is generated must begin with tokens of the vocabulary, not with {string.Join(", ", encoder.StartTokens)}";
        if (encoder.Embedding is { Width: not null } or { SpanPositions: not null } or { QueryPositions: not null })
            return "the encoder's embedding has the model's width and positions in the text alone";
        if (encoder.Embedding?.Positions is { } rows && rows < model.ContextLength)
            return $"a table of {rows} positions is too short for sources of {model.ContextLength}";
        if (encoder.Embedding?.Scale is { } scale && !float.IsFinite(scale))
            return "the encoder's embedding's scale must be finite";
        if (FindError(encoder.FinalNorm) is { } error)
            return $"encoder: {error}";
        if (model.Prefix is not null || model.Layers.Any(layer => layer is not { Attention.Latent: null, CrossAttention: not null }))
            return "layers beside an encoder attend to tokens before and to the source, without prefixes and latent vectors";
        for (var i = 0; i < model.Layers.Count; i++)
        {
            var (own, cross) = (model.Layers[i].Attention!, model.Layers[i].CrossAttention!);
            if ((own.KeyValueHeads, own.HeadSize) != (cross.KeyValueHeads, cross.HeadSize))
                return $"layer {i}: both kinds of attention need the same key/value heads";
            if (cross is not { Window: null, AlibiSlopes: null, Rotary: null, QueryKeyNorm: null, Clip: null, LogScaleFrom: null, BiasDistance: null, Latent: null, PositionQueries: false, Sinks: false })
                return $"layer {i}: attention to a source depends on no positions";
        }

        if (encoder.Layers.Count == 0)
            return "an encoder needs a layer";
        for (var i = 0; i < encoder.Layers.Count; i++)
        {
            var layer = encoder.Layers[i];
            if (layer is not { Attention: { Window: null, AlibiSlopes: null, Latent: null, LogScaleFrom: null, PositionQueries: false } attention, CrossAttention: null } || RotaryLength.Counts(attention.Rotary))
                return $"encoder layer {i}: it attends to all of the source and to nothing else";
            if ((attention.KeyValueHeads, attention.HeadSize) != (encoder.Layers[0].Attention!.KeyValueHeads, encoder.Layers[0].Attention!.HeadSize))
                return $"encoder layer {i}: its key/value heads are not those of the first";
            if (FindError(layer, model.HiddenSize) is { } layerError)
                return $"encoder layer {i}: {layerError}";
        }

        return null;
    }

    private static string? FindPrefixError(ModelDescription model)
    {
        if (model.Prefix is not { } prefix)
        {
            return model.Embedding?.SpanPositions is not null || model.Attentions.Any(attention => attention.Rotary is { Spans: true })
                ? "positions in a span need a prefix"
                : null;
        }

        if (prefix.BlankTokens.Append(prefix.EndToken).Any(token => token < 0 || token >= model.VocabularySize))
            return "the tokens that end a prefix and stand for a blank must be in the vocabulary";
        // The first token of the span is at position 1.
        if (model.Embedding?.SpanPositions is { } rows && rows <= model.ContextLength)
            return $"a table of {rows} span positions is too short for a context of {model.ContextLength}";
        return model.Layers.Any(layer => layer.Attention is not { Window: null, AlibiSlopes: null, Latent: null })
            ? "a prefix goes with neither windows nor slopes nor latent attention, nor with blocks other than attention"
            : null;
    }

    private static string? FindVirtualTokensError(ModelDescription model)
    {
        if (model.VirtualTokens is not { } tokens)
            return null;
        if (tokens.Count < 1)
            return "the number of virtual tokens must be positive";
        if (tokens.Count >= model.ContextLength)
            return $"{tokens.Count} virtual tokens leave no room for a text in a context of {model.ContextLength}";
        if (model.Prefix is not null || model.Encoder is not null)
            return "virtual tokens go with neither a prefix nor an encoder";
        return tokens.Keys && model.Layers.Any(layer => layer.Attention is not { Latent: null }) ? "keys and values of virtual tokens need a cache of keys and values in every layer" : null;
    }

    private static string? FindError(AttentionDescription attention)
    {
        if (attention.QueryHeads < 1 || attention.KeyValueHeads < 1 || attention.HeadSize < 1)
            return $"there are {attention.QueryHeads} query heads and {attention.KeyValueHeads} key/value heads of size {attention.HeadSize}, but all of that must be positive";
        if (attention.QueryHeads % attention.KeyValueHeads != 0)
            return $"{attention.QueryHeads} query heads cannot share {attention.KeyValueHeads} key/value heads evenly";
        if ((long)attention.QueryHeads * attention.HeadSize > int.MaxValue)
            return "the query heads are too wide together";
        if (attention.Latent is { } latent && FindError(attention, latent) is { } latentError)
            return latentError;
        if (attention.Rotary is { } rotary && (rotary.Size ?? attention.HeadSize) is var turned && (turned < 2 || turned % 2 != 0 || turned > attention.HeadSize))
            return $"the part of a head that turns needs an even size within it, not {turned} of {attention.HeadSize}";
        if (attention.Rotary is { Spans: true } spans && (spans.Size ?? attention.HeadSize) % 4 != 0)
            return "rotary positions in a span need a part of a head that has a whole number of quarters";
        if (attention.Rotary is { Decay: not null } && (attention.Latent is not null || attention.Rotary.Spans))
            return "products decay with the distance neither in latent attention nor by positions in a span";
        if (attention.Rotary is { Scaling: { Kind: RotaryScalingKind.LongRope } scaling } longRope
            && new[] { scaling.Divisors, scaling.LongDivisors ?? scaling.Divisors }.Any(
                list => list?.Count != (longRope.Size ?? attention.HeadSize) / 2 || !list.All(divisor => divisor is > 0 and < double.PositiveInfinity)))
            return "rotary scaling needs a positive divisor for each frequency";
        if (attention.AlibiSlopes is { } slopes && (slopes.Count != attention.QueryHeads || !slopes.All(float.IsFinite)))
            return $"{attention.QueryHeads} query heads need as many finite slopes";
        if (attention.BiasDistance is < 1 or > MostBiasDistance)
            return $"the largest distance with a bias of its own must be from 1 to {MostBiasDistance}";
        if (attention.SoftCap is { } cap && !IsPositive(cap))
            return "the scores' cap must be positive";
        if (attention.Clip is { } clip && !IsPositive(clip))
            return "the clamp of queries, keys and values must be positive";
        if (attention.QueryKeyNorm is { AcrossHeads: true, AfterTurning: true })
            return "queries and keys that are normed after turning are normed each head by itself";
        if (!float.IsFinite(attention.Scale))
            return "the attention scale must be finite";
        if (attention.LogScaleFrom is < 2)
            return "scores cannot grow by the logarithm of a length below 2";
        if (attention.Window is < 1)
            return $"the attention window is {attention.Window}, but must be positive";
        return FindError(attention.Rotary) ?? FindError(attention.QueryKeyNorm?.Norm);
    }

    private static string? FindError(FeedForwardDescription block, int hiddenSize)
    {
        if (block.IntermediateSize < 1)
            return $"the feed-forward size is {block.IntermediateSize}, but must be positive";
        if (block.Receptance && !block.TokenShift)
            return "feed-forward with a receptance shifts tokens";
        if (block.TokenShift && (!block.Plain || block.Bias || block.Experts is not null))
            return "feed-forward that shifts tokens has no gate, biases or experts";
        return FindExpertsError(block, hiddenSize);
    }

    private static string? FindError(LayerDescription layer, int hiddenSize)
    {
        if (new object?[] { layer.Attention, layer.TimeMix, layer.StateSpace }.Count(block => block is not null) != 1)
            return "it needs one block that mixes tokens: attention, time mixing or a state space";
        if (layer.FeedForward is null && (layer.Parallel || (layer.FeedForwardNorm ?? layer.FeedForwardOutputNorm ?? layer.FeedForwardSumNorm) is not null))
            return "without feed-forward it has no norms of it and nothing in parallel";
        if (layer.CrossAttention is null && (layer.CrossAttentionNorm ?? layer.CrossAttentionSumNorm) is not null)
            return "without attention to a source it has no norms of it";
        if (layer.CrossAttention is not null && layer.Parallel)
            return "attention to a source goes with nothing in parallel";
        var error = (layer.Attention is { } attention ? FindError(attention) : null)
            ?? (layer.CrossAttention is { } cross ? FindError(cross) : null)
            ?? (layer.TimeMix is { } mix ? RecurrentCheck.FindError(mix) : null)
            ?? (layer.StateSpace is { } space ? RecurrentCheck.FindError(space) : null)
            ?? (layer.FeedForward is { } block ? FindError(block, hiddenSize) : null);
        if (error is not null)
            return error;
        if (layer.ResidualScale is { } scale && !float.IsFinite(scale))
            return "the residual scale must be finite";
        if (layer.Parallel && (layer.AttentionSumNorm ?? layer.FeedForwardSumNorm) is not null)
            return "parallel branches have no norms of their sums";
        if (layer.Parallel && layer.NormedResidual)
            return "parallel branches are added to x";
        NormDescription?[] norms =
        [
            layer.AttentionNorm, layer.AttentionOutputNorm, layer.AttentionSumNorm, layer.TimeMix?.Norm, layer.StateSpace?.Norm, layer.StateSpace?.InputNorm,
            layer.CrossAttentionNorm, layer.CrossAttentionSumNorm,
            layer.FeedForwardNorm, layer.FeedForwardOutputNorm, layer.FeedForwardSumNorm,
        ];
        return norms.Select(FindError).FirstOrDefault(wrong => wrong is not null);
    }

    private static string? FindExpertsError(FeedForwardDescription block, int hiddenSize)
    {
        if (block.Limit is { } limit && (!IsPositive(limit) || block is { Plain: true } or { Experts: null } or { Experts.SharedSize: not null }))
            return "a limit must be positive, and is of gates of experts of which none is shared";
        if (block.Experts is not { } experts)
            return null;
        if (experts.Count < 1 || experts.Active < 1 || experts.Active > experts.Count)
            return $"a token cannot go through {experts.Active} of {experts.Count} experts";
        if (experts.Groups is { } groups)
        {
            if (groups.Count < 1 || experts.Count % groups.Count != 0)
                return $"{experts.Count} experts cannot be in {groups.Count} even groups";
            if (groups.Active < 1 || groups.Active > groups.Count || experts.Count / groups.Count * groups.Active < experts.Active)
                return $"{experts.Active} experts cannot be chosen from {groups.Active} of {groups.Count} groups of {experts.Count / groups.Count}";
            if (groups.Leading < 1 || groups.Leading > experts.Count / groups.Count)
                return $"{groups.Leading} scores cannot speak for a group of {experts.Count / groups.Count} experts";
        }

        if (experts.Margin is not null && experts is not { Margin: >= 0 and < float.PositiveInfinity, Score: RouterScore.Softmax, SelectionBias: false, Groups: null, Normalized: false })
            return "a margin must not be negative, and is of a softmax that is not normalized, without groups and a bias for choosing";
        if (experts.Scale is { } scale && !float.IsFinite(scale))
            return "the experts' scale must be finite";
        if (experts.SharedSize is < 1 || (experts.SharedSwitch && experts.SharedSize is null))
            return "the shared expert's size must be positive";
        return (long)experts.Count * Math.Max(block.IntermediateSize, hiddenSize) > int.MaxValue ? "the experts have too many rows together" : null;
    }

    private static string? FindError(AttentionDescription attention, LatentDescription latent)
    {
        if (latent.Rank < 1 || latent.PlainSize < 1 || latent.ValueSize < 1 || latent.QueryRank is < 1)
            return "the sizes of latent attention must be positive";
        if (attention.KeyValueHeads != 1)
            return $"latent attention has one key/value head, not {attention.KeyValueHeads}";
        if (attention.Rotary is not { } rotary || rotary.Size != attention.HeadSize - latent.Rank)
            return $"of heads of {attention.HeadSize} with a latent vector of {latent.Rank}, the first {attention.HeadSize - latent.Rank} elements turn";
        if (attention.QueryKeyNorm is not null || attention.Clip is not null)
            return "latent attention neither norms nor clamps queries and keys";
        if ((long)attention.QueryHeads * Math.Max(latent.PlainSize, latent.ValueSize) > int.MaxValue)
            return "the query heads are too wide together";
        return FindError(latent.Norm);
    }

    private static bool IsPositive(float x) => x is > 0 and < float.PositiveInfinity;

    private static string? FindError(NormDescription? norm) =>
        norm is null or { Epsilon: > 0 and < float.PositiveInfinity } ? null : FormattableString.Invariant($"a norm's epsilon is {norm.Epsilon}, but must be positive and finite");

    private static string? FindError(RotaryDescription? rotary)
    {
        if (rotary is null)
            return null;
        if (!(rotary.Theta > 0) || !double.IsFinite(rotary.Theta))
            return FormattableString.Invariant($"the rotary base is {rotary.Theta}, but must be positive and finite");
        if (rotary.Decay is { Base: not (> 0 and < double.PositiveInfinity) })
            return "the base of what decays with the distance must be positive";
        return rotary.Scaling switch
        {
            not null when rotary.Spans => "rotary positions in a span go with no scaling",
            null => null,
            { Factor: not (> 0 and < double.PositiveInfinity) and var factor } => FormattableString.Invariant($"the rotary scaling factor is {factor}, but must be positive and finite"),
            { Kind: not RotaryScalingKind.Linear, OriginalContextLength: < 1 } => "rotary scaling needs the original context length",
            { Kind: RotaryScalingKind.Llama3 } s when !(s.LowFrequencyFactor > 0 && s.HighFrequencyFactor > s.LowFrequencyFactor && double.IsFinite(s.HighFrequencyFactor)) =>
                "rotary scaling needs 0 < low frequency factor < high frequency factor < infinity",
            { Kind: RotaryScalingKind.Yarn } s when !(s.BetaSlow > 0 && s.BetaFast > s.BetaSlow && double.IsFinite(s.BetaFast) && s.AttentionFactor is > 0 and < double.PositiveInfinity) =>
                "rotary scaling needs 0 < beta slow < beta fast < infinity and a positive attention factor",
            { Kind: RotaryScalingKind.Dynamic or RotaryScalingKind.DynamicSteps } when rotary.Size == 2 => "a rotary base that grows needs more than two elements that turn",
            { Kind: RotaryScalingKind.Dynamic, Factor: < 1 } => "a rotary base cannot grow by a factor below 1",
            { Kind: RotaryScalingKind.LongRope, AttentionFactor: not (> 0 and < double.PositiveInfinity) } => "rotary scaling needs a positive attention factor",
            _ => null,
        };
    }
}

namespace Weft.Models;

/// <summary>Says whether the numbers of a model description make sense together, before anything is derived from them.</summary>
public static class ModelCheck
{
    /// <summary>Finds the first thing wrong with <paramref name="model"/>.</summary>
    /// <returns>A clause without a full stop, or null when nothing is wrong.</returns>
    public static string? FindError(ModelDescription model)
    {
        if (model.VocabularySize < 1 || model.HiddenSize < 1 || model.ContextLength < 1)
            return "vocabulary size, hidden size and context length must be positive";
        if (FindError(model.FinalNorm) is { } error)
            return error;
        for (var i = 0; i < model.Layers.Count; i++)
        {
            if (FindError(model.Layers[i]) is { } layerError)
                return $"layer {i}: {layerError}";
        }

        return null;
    }

    private static string? FindError(LayerDescription layer)
    {
        var attention = layer.Attention;
        if (attention.QueryHeads < 1 || attention.KeyValueHeads < 1 || attention.HeadSize < 1)
            return "head counts and head size must be positive";
        if (attention.QueryHeads % attention.KeyValueHeads != 0)
            return $"{attention.QueryHeads} query heads cannot share {attention.KeyValueHeads} key/value heads evenly";
        if ((long)attention.QueryHeads * attention.HeadSize > int.MaxValue)
            return "the query heads are too wide together";
        if (attention.HeadSize % 2 != 0)
            return $"a rotary head needs an even size, not {attention.HeadSize}";
        if (!float.IsFinite(attention.Scale))
            return "the attention scale must be finite";
        if (attention.Window is < 1)
            return "the attention window must be positive";
        if (layer.FeedForward.IntermediateSize < 1)
            return "the feed-forward size must be positive";
        return FindError(attention.Rotary) ?? FindError(layer.AttentionNorm) ?? FindError(layer.FeedForwardNorm);
    }

    private static string? FindError(NormDescription norm) =>
        norm.Epsilon is >= 0 and < float.PositiveInfinity ? null : "a norm's epsilon must be finite and not negative";

    private static string? FindError(RotaryDescription rotary)
    {
        if (!(rotary.Theta > 0) || !double.IsFinite(rotary.Theta))
            return "the rotary base must be positive";
        return rotary.Scaling switch
        {
            null => null,
            { Factor: not (> 0 and < double.PositiveInfinity) } => "the rotary scaling factor must be positive",
            { Kind: not RotaryScalingKind.Linear, OriginalContextLength: < 1 } => "rotary scaling needs the original context length",
            { Kind: RotaryScalingKind.Llama3 } s when !(s.LowFrequencyFactor > 0 && s.HighFrequencyFactor > s.LowFrequencyFactor) =>
                "rotary scaling needs 0 < low frequency factor < high frequency factor",
            { Kind: RotaryScalingKind.Yarn } s when !(s.BetaSlow > 0 && s.BetaFast > s.BetaSlow && s.AttentionFactor > 0) =>
                "rotary scaling needs 0 < beta slow < beta fast and a positive attention factor",
            _ => null,
        };
    }
}

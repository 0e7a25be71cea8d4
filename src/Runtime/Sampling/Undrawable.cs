namespace Weft.Sampling;

/// <summary>What stands in a token's place when a row of logits has none to draw; kernels/sampling.cu writes the same.</summary>
internal static class Undrawable
{
    public const int NotANumber = -1;
    public const int Infinite = -2;
    public const int Forbidden = -3;

    /// <summary>What to tell the user.</summary>
    public static WeftException Exception(int code) => new(code switch
    {
        NotANumber => "The model computed a logit that is not a number, so no token can be drawn; its weights may be damaged.",
        Infinite => "The model computed an infinite logit, so no token can be drawn; its weights may be damaged.",
        _ => "Every token of the vocabulary is forbidden, so none can be drawn.",
    });
}

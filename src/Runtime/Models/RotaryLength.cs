namespace Weft.Models;

/// <summary>
/// Rotary embeddings whose frequencies depend on the length of the text (NTK-aware scaling in its dynamic forms of 2023, and LongRoPE). Keys stay in the cache as
/// they were turned when they were written, so that the length that counts must be known at once and never change: a prompt's tokens turn as its whole
/// length wants it, however it is cut into steps, which is what the models' own implementations compute of a prompt. Of what follows, LLaMA's form turns a token by
/// the base of the text up to it, as that one does with a cache; the others keep to the prompt's length: frequencies that jump would tear the new
/// tokens from the old. Where LongRoPE's jump, at the end of the original context, the scheduler lets a sequence begin anew.
/// </summary>
internal static class RotaryLength
{
    /// <summary>The frequencies depend on the length.</summary>
    public static bool Counts(RotaryDescription? rotary) =>
        rotary?.Scaling is { Kind: RotaryScalingKind.Dynamic or RotaryScalingKind.DynamicSteps } or { Kind: RotaryScalingKind.LongRope, LongDivisors: not null };

    /// <summary>The length that counts for a token.</summary>
    /// <param name="rotary">An embedding of which it <see cref="Counts"/>.</param>
    /// <param name="prompt">Tokens of its sequence's prompt.</param>
    /// <param name="position">Its own position.</param>
    public static int At(RotaryDescription rotary, int prompt, int position) =>
        rotary.Scaling!.Kind == RotaryScalingKind.Dynamic ? Math.Max(prompt, position + 1) : prompt;

    /// <summary>The embedding for a length, which then depends on none.</summary>
    /// <param name="rotary">An embedding of which it <see cref="Counts"/>.</param>
    /// <param name="length">Of <see cref="At"/>.</param>
    /// <param name="size">R.</param>
    public static RotaryDescription Resolve(RotaryDescription rotary, int length, int size)
    {
        var scaling = rotary.Scaling!;
        if (scaling.Kind == RotaryScalingKind.LongRope)
            return rotary with { Scaling = scaling with { Divisors = length > scaling.OriginalContextLength ? scaling.LongDivisors : scaling.Divisors, LongDivisors = null } };
        var ratio = Math.Max(1, (double)length / scaling.OriginalContextLength);
        var growth = scaling.Kind == RotaryScalingKind.Dynamic
            ? (scaling.Factor * ratio) - (scaling.Factor - 1)
            : Steps(ratio);
        return rotary with { Theta = rotary.Theta * Math.Pow(growth, size / (size - 2.0)), Scaling = null };
    }

    /// <summary>
    /// Names what keys depend on beside tokens and positions: sequences of the same number may share them. 0 where they depend on nothing else, as they do
    /// wherever the prompt is no longer than the original context.
    /// </summary>
    public static int KeysOf(ModelDescription model, int prompt)
    {
        var scalings = Scalings(model);
        return scalings.TrueForAll(scaling => prompt <= scaling.OriginalContextLength) ? 0
            : scalings is [{ Kind: RotaryScalingKind.LongRope }] ? 1
            : scalings is [{ Kind: RotaryScalingKind.DynamicSteps } only] ? (int)Steps((double)prompt / only.OriginalContextLength)
            : prompt;
    }

    /// <summary>The longest sequence of which keys stay right that were turned for a shorter one; null where that is any.</summary>
    public static int? KeysLast(ModelDescription model) =>
        Scalings(model).Where(scaling => scaling.Kind == RotaryScalingKind.LongRope).Select(scaling => (int?)scaling.OriginalContextLength).Min();

    private static List<RotaryScaling> Scalings(ModelDescription model) =>
        [.. model.Attentions.Where(attention => Counts(attention.Rotary)).Select(attention => attention.Rotary!.Scaling!).Distinct()];

    // 1, and 2ⁿ − 1 for up to 2ⁿ⁻¹ times the original context.
    private static double Steps(double ratio) => Math.Pow(2, Math.Ceiling(Math.Log2(ratio) + 1)) - 1;
}

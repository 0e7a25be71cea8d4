namespace Weft.Models;

/// <summary>
/// Rotary embeddings whose base grows with the length of the text (NTK-aware scaling, in its dynamic forms of 2023). Keys stay in the cache as they were
/// turned when they were written, so that the length that counts must be known at once and never change: a prompt's tokens turn by the base of its whole
/// length, however it is cut into steps, which is what the models' own implementations compute of a prompt. Of what follows, LLaMA's form turns a token by
/// the base of the text up to it, as that one does with a cache; Qwen's keeps the prompt's base, as that one does: a base that jumps would tear the new
/// tokens from the old.
/// </summary>
internal static class RotaryLength
{
    /// <summary>The base depends on the length.</summary>
    public static bool Counts(RotaryDescription? rotary) => rotary?.Scaling?.Kind is RotaryScalingKind.Dynamic or RotaryScalingKind.DynamicSteps;

    /// <summary>The length that counts for a token.</summary>
    /// <param name="rotary">An embedding of which it <see cref="Counts"/>.</param>
    /// <param name="prompt">Tokens of its sequence's prompt.</param>
    /// <param name="position">Its own position.</param>
    public static int At(RotaryDescription rotary, int prompt, int position) =>
        rotary.Scaling!.Kind == RotaryScalingKind.Dynamic ? Math.Max(prompt, position + 1) : prompt;

    /// <summary>The base for a length.</summary>
    /// <param name="rotary">An embedding of which it <see cref="Counts"/>.</param>
    /// <param name="length">Of <see cref="At"/>.</param>
    /// <param name="size">R.</param>
    public static double Theta(RotaryDescription rotary, int length, int size)
    {
        var scaling = rotary.Scaling!;
        var ratio = Math.Max(1, (double)length / scaling.OriginalContextLength);
        var growth = scaling.Kind == RotaryScalingKind.Dynamic
            ? (scaling.Factor * ratio) - (scaling.Factor - 1)
            : Steps(ratio);
        return rotary.Theta * Math.Pow(growth, size / (size - 2.0));
    }

    /// <summary>
    /// Names what keys depend on beside tokens and positions: sequences of the same number may share them. 0 where they depend on nothing else, as they do
    /// wherever the prompt is no longer than the original context.
    /// </summary>
    public static int KeysOf(ModelDescription model, int prompt)
    {
        var scalings = model.Attentions.Where(attention => Counts(attention.Rotary)).Select(attention => attention.Rotary!.Scaling!).Distinct().ToList();
        return scalings.TrueForAll(scaling => prompt <= scaling.OriginalContextLength) ? 0
            : scalings is [{ Kind: RotaryScalingKind.DynamicSteps } only] ? (int)Steps((double)prompt / only.OriginalContextLength)
            : prompt;
    }

    // 1, and 2ⁿ − 1 for up to 2ⁿ⁻¹ times the original context.
    private static double Steps(double ratio) => Math.Pow(2, Math.Ceiling(Math.Log2(ratio) + 1)) - 1;
}

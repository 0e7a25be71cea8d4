namespace Weft.Cli.Storage;

/// <summary>What a reference implementation computed for a prompt: an <c>expected.safetensors</c>.</summary>
/// <param name="PromptIds">[T].</param>
/// <param name="Logits">[T, V], flat.</param>
/// <param name="Vocabulary">V.</param>
/// <param name="GeneratedIds">[N] of the greedy continuation; empty when the file has none.</param>
/// <param name="GeneratedLogits">[N, V]: row i is what GeneratedIds[i] was taken from.</param>
internal sealed record ExpectedOutputs(
    IReadOnlyList<int> PromptIds, float[] Logits, int Vocabulary, IReadOnlyList<int> GeneratedIds, float[] GeneratedLogits)
{
    /// <summary>Reads the file.</summary>
    /// <exception cref="WeftException">It is missing, damaged, or lacks prompt_ids or logits.</exception>
    public static ExpectedOutputs Read(string path) => throw new NotImplementedException(path);
}

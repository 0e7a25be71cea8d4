namespace Weft.Daemon.Models;

/// <summary>What a model is.</summary>
/// <param name="ContextLength">Longest sequence in tokens.</param>
/// <param name="VocabularySize">V.</param>
/// <param name="Parameters">Number of weights.</param>
/// <param name="WeightBytes">Bytes of the weights.</param>
/// <param name="Quantization">Type of most weights: <c>bf16</c>, <c>int4</c>.</param>
/// <param name="Device">What it runs on.</param>
/// <param name="ChatTemplate">Text of the chat template, or null.</param>
/// <param name="Path">The packed file, or empty.</param>
/// <param name="Architecture">The checkpoint's own name for it.</param>
/// <param name="EmbeddingSize">C.</param>
/// <param name="Digest">SHA-256 that names the contents, in hexadecimal.</param>
internal sealed record ModelFacts(
    int ContextLength, int VocabularySize, long Parameters, long WeightBytes, string Quantization, string Device, string? ChatTemplate, string Path, string Architecture, int EmbeddingSize, string Digest);

using Weft.Convert.Checkpoints;

namespace Weft.Cli.Storage;

/// <summary>What a reference implementation computed for a prompt: an <c>expected.safetensors</c>.</summary>
/// <param name="PromptIds">[T]; of an encoder-decoder the source.</param>
/// <param name="DecoderIds">[D] of an encoder-decoder, the first of which starts the continuation, too; empty for another model.</param>
/// <param name="Logits">[T, V], flat; of an encoder-decoder [D, V].</param>
/// <param name="Vocabulary">V.</param>
/// <param name="GeneratedIds">[N] of the greedy continuation; empty when the file has none.</param>
/// <param name="GeneratedLogits">[N, V]: row i is what GeneratedIds[i] was taken from.</param>
internal sealed record ExpectedOutputs(
    IReadOnlyList<int> PromptIds, IReadOnlyList<int> DecoderIds, float[] Logits, int Vocabulary, IReadOnlyList<int> GeneratedIds, float[] GeneratedLogits)
{
    /// <summary>Its name in a checkpoint's folder.</summary>
    public const string FileName = "expected.safetensors";

    /// <summary>Reads the file.</summary>
    /// <param name="path">Of the file.</param>
    /// <param name="model">Path of the model: where a file is about several, the logits of NAME-TYPE.gguf are called 'logits.TYPE'.</param>
    /// <exception cref="WeftException">It is missing, damaged, lacks prompt_ids or logits, or their shapes do not belong together.</exception>
    public static ExpectedOutputs Read(string path, string model)
    {
        var file = SafetensorsFile.Open(path);
        var prompt = Ids(file, "prompt_ids");
        if (prompt.Length == 0)
            throw new WeftException($"{path}: 'prompt_ids' is empty");
        var decoder = file.Tensors.ContainsKey("decoder_ids") ? Ids(file, "decoder_ids") : [];
        var tokens = decoder.Length > 0 ? decoder.Length : prompt.Length;
        var type = "logits." + Path.GetFileNameWithoutExtension(model).Split('-')[^1];
        var name = file.Tensors.ContainsKey(type) ? type : "logits";
        var logits = file.ReadSingles(name);
        if (file.Tensors[name].Shape is not [var rows, > 0 and <= int.MaxValue and var vocabulary] || rows != tokens)
            throw new WeftException($"{path}: '{name}' is not [{tokens}, vocabulary], one row per token of the prompt or the decoder's input");
        if (!file.Tensors.ContainsKey("generated_ids"))
            return new(prompt, decoder, logits, (int)vocabulary, [], []);

        var generated = Ids(file, "generated_ids");
        var generatedLogits = file.ReadSingles("generated_logits");
        if (generatedLogits.Length != generated.Length * vocabulary)
            throw new WeftException($"{path}: 'generated_logits' is not [{generated.Length}, {vocabulary}], one row per generated token");
        return new(prompt, decoder, logits, (int)vocabulary, generated, generatedLogits);
    }

    private static int[] Ids(SafetensorsFile file, string name) =>
        Array.ConvertAll(file.ReadIntegers(name), id => (int)Math.Clamp(id, int.MinValue, int.MaxValue));
}

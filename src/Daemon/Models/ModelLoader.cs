using System.Security.Cryptography;
using System.Text;
using Weft.Chat;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Daemon.Models;

/// <summary>Loads a model, starts its engine and lets it generate once, so that the first request finds everything compiled.</summary>
internal static class ModelLoader
{
    // More than the kernels for few rows take. A prompt as long as a step is left out: 512 tokens of a model of 1.1 billion parameters take a
    // processor 2.5 s, and the first one costs models/bard no more than 8 ms beside the next.
    private const int WarmUpTokens = 12;

    /// <summary>Loads a model.</summary>
    /// <exception cref="WeftException">It cannot be loaded, or cannot generate.</exception>
    public static (Model Model, ServedModel Served) Load(ModelSource source, EngineOptions options)
    {
        var model = source.Load();
        Engine? engine = null;
        try
        {
            var template = source.ChatTemplate ?? model.Header.ChatTemplate;
            var prompter = model.Tokenizer is null ? null
                : source.ChatTemplate is { } other ? new ChatPrompter(ChatTemplate.Parse(other), model.Tokenizer, model.Header.Generation)
                : ChatPrompter.Of(model.Header, model.Tokenizer);
            WarmUp(model);
            engine = new Engine(model, options with { ModelName = source.Name });
            return (model, new(source.Name, engine, model.Tokenizer, prompter, model.Header.Generation, Facts(model, template)));
        }
        catch
        {
            engine?.Dispose();
            model.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Does once what nearly all requests ask for: one and several tokens at a time, the most probable and drawn. What else there is (log-probabilities, embeddings) costs the
    /// first that asks for it some 20 ms, and would cost every start as much. In an engine of its own, so that it does not count.
    /// </summary>
    private static void WarmUp(Model model)
    {
        using var engine = new Engine(model);
        var prompt = new int[Math.Min(WarmUpTokens, model.ContextLength - 1)];
        GenerationOptions greedy = new() { MaxTokens = 3, IgnoreEos = true };
        var likeliest = engine.Start(prompt, greedy);
        var drawn = engine.Start(prompt, greedy with { Sampling = new() { Temperature = 1, TopP = 0.9f } });
        likeliest.Wait();
        drawn.Wait();
    }

    private static ModelFacts Facts(Model model, string? template)
    {
        var header = model.Header;
        var matrices = header.Tensors.Where(tensor => tensor.Shape.Count == 2).ToList();
        return new(
            model.ContextLength,
            header.Model.VocabularySize,
            header.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size)),
            model.WeightBytes,
            matrices.GroupBy(tensor => tensor.DataType).MaxBy(group => group.Sum(tensor => tensor.Length))!.Key.Name(),
            model.DeviceName,
            template,
            model.Path,
            header.Provenance.Architecture,
            header.Model.HiddenSize,
            Digest(header.Provenance));
    }

    /// <summary>Names the contents: the same files converted by the same converter give the same.</summary>
    private static string Digest(Provenance provenance) => System.Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        provenance.Converter + string.Concat(provenance.Sources.Select(source => $"\n{source.Name} {source.Sha256}")))));
}

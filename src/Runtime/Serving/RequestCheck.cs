using Weft.Models;

namespace Weft.Serving;

/// <summary>Says what of a request a model cannot do, before anything waits for it.</summary>
internal static class RequestCheck
{
    /// <summary>Checks a prompt and what is to be generated from it.</summary>
    /// <exception cref="WeftException">The prompt or an option is out of range.</exception>
    public static void Require(EngineModel model, ReadOnlySpan<int> prompt, GenerationOptions generation)
    {
        generation.Validate(model.VocabularySize);
        if (prompt.IsEmpty)
            throw new OptionException("prompt", "the prompt is empty; it must have at least one token");
        if (prompt.IndexOfAnyExceptInRange(0, model.VocabularySize - 1) is >= 0 and var wrong)
            throw new OptionException("prompt", $"the prompt has the token id {prompt[wrong]}, but the ids of the model's vocabulary end at {model.VocabularySize - 1}");
        if (generation.Pooling is not null && prompt.Length > model.ContextLength)
            throw new OptionException("input", $"the text has {prompt.Length} tokens, which do not fit the context of {model.ContextLength}");
        if (model.Encoder is { } encoder)
            RequireSource(model, encoder, prompt, generation);
        else if (generation.TargetPrefix.Count > 0)
            throw new OptionException("target_prefix", "only a model with an encoder begins its text apart from the prompt");
        else if (generation.Pooling is null && prompt.Length >= model.ContextLength)
            throw new OptionException("prompt", $"the prompt has {prompt.Length} tokens; with one more to generate it does not fit the context of {model.ContextLength}");
    }

    private static void RequireSource(EngineModel model, EncoderDescription encoder, ReadOnlySpan<int> source, GenerationOptions generation)
    {
        if (generation.Pooling is not null)
            throw new OptionException("input", "the model has an encoder beside its decoder, of which no embeddings are made");
        if (generation.PromptLogProbabilities)
            throw new OptionException("prompt", "the prompt is read by an encoder, which gives its tokens no probabilities");
        if (source.Length > model.ContextLength)
            throw new OptionException("prompt", $"the prompt has {source.Length} tokens, which do not fit the context of {model.ContextLength}");
        if (GenerationRequest.Start(encoder, generation).Length >= model.ContextLength)
            throw new OptionException("target_prefix", $"the text begins with {generation.TargetPrefix.Count} tokens, which leave no room in the context of {model.ContextLength}");
    }
}

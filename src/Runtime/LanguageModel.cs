using System.Runtime.CompilerServices;
using Weft.Chat;
using Weft.Sampling;
using Weft.Tokenizers;

namespace Weft;

/// <summary>
/// A packed model ready for text: loaded, with an engine that serves any number of callers at a time. The one object that a program needs.
/// </summary>
/// <example>
/// <code>
/// using var model = LanguageModel.Load("bard.weft");
/// await foreach (var text in model.GenerateAsync("ROMEO:", new() { MaxTokens = 64 }))
///     Console.Write(text);
/// </code>
/// </example>
/// <remarks>All members are safe to use from any thread.</remarks>
public sealed class LanguageModel : IDisposable
{
    private const int DefaultSequences = 16;

    private readonly ChatPrompter? prompter;

    private LanguageModel(Model model, EngineOptions? options)
    {
        Model = model;
        Tokenizer = model.Tokenizer ?? throw new WeftException($"{model.Path}: the model has no tokenizer, so it knows no text");
        prompter = ChatPrompter.Of(model.Header, Tokenizer);
        Engine = new Engine(model, options);
    }

    /// <summary>What computes.</summary>
    public Model Model { get; }

    /// <summary>What serves; for token ids, log-probabilities and times.</summary>
    public Engine Engine { get; }

    /// <summary>Turns text into tokens and back.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The sampling that the checkpoint recommends; greedy where it says nothing.</summary>
    public SamplingOptions RecommendedSampling => new()
    {
        Temperature = Model.Header.Generation.Temperature ?? 0,
        TopK = Model.Header.Generation.TopK ?? 0,
        TopP = Model.Header.Generation.TopP ?? 1,
        RepetitionPenalty = Model.Header.Generation.RepetitionPenalty ?? 1,
    };

    /// <summary>Loads a packed file.</summary>
    /// <param name="path">A <c>.weft</c> file.</param>
    /// <param name="modelOptions">How it is loaded; 16 generations at a time when not given.</param>
    /// <param name="engineOptions">How it is served.</param>
    /// <exception cref="WeftException">The file cannot be loaded or has no tokenizer.</exception>
    public static LanguageModel Load(string path, ModelOptions? modelOptions = null, EngineOptions? engineOptions = null)
    {
        var model = Model.Load(path, modelOptions ?? new() { MaxSequences = DefaultSequences });
        try
        {
            return new(model, engineOptions);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Continues a text; gives pieces of text as they become final.</summary>
    /// <exception cref="WeftException">The prompt does not fit the context, an option is out of range, or the engine fails.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; generation stops within one step.</exception>
    public IAsyncEnumerable<string> GenerateAsync(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        TextAsync(token => Start(Tokenizer.Encode(prompt), options, token), cancellationToken);

    /// <summary>Answers a conversation; gives pieces of text as they become final.</summary>
    /// <exception cref="WeftException">The model has no chat template or it refuses the conversation, or as <see cref="GenerateAsync"/>.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; generation stops within one step.</exception>
    public IAsyncEnumerable<string> ChatAsync(IEnumerable<ChatMessage> messages, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        TextAsync(token => StartChat(messages, options, token), cancellationToken);

    /// <summary>Starts to answer a conversation, for callers who want more of the answer than its text.</summary>
    /// <exception cref="WeftException">As <see cref="ChatAsync"/>.</exception>
    public Generation StartChat(IEnumerable<ChatMessage> messages, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (prompter is null)
            throw new WeftException($"{Model.Path}: the model has no chat template; continue a text instead");
        options ??= Recommended;
        return Start(prompter.Encode(messages), options with { StopStrings = [.. options.StopStrings, .. prompter.StopStrings] }, cancellationToken);
    }

    /// <summary>Computes the embedding [C] of a text, of length one.</summary>
    /// <exception cref="WeftException">The text is empty or does not fit the context, or the engine fails.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public Task<float[]> EmbedAsync(string text, Pooling pooling = Pooling.Mean, CancellationToken cancellationToken = default) =>
        Engine.EmbedAsync(Tokenizer.Encode(text), pooling, cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        Engine.Dispose();
        Model.Dispose();
    }

    private GenerationOptions Recommended => new() { Sampling = RecommendedSampling };

    private Generation Start(int[] prompt, GenerationOptions? options, CancellationToken cancellationToken) =>
        Engine.Start(prompt, options ?? Recommended, cancellationToken);

    /// <summary>Starts when the first piece is asked for, each time anew.</summary>
    private static async IAsyncEnumerable<string> TextAsync(Func<CancellationToken, Generation> start, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var generation = start(cancellationToken);
        await foreach (var output in generation.Outputs.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            if (output.Text.Length > 0)
                yield return output.Text;
        }
    }
}

using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.AI;
using Weft.Sampling;

namespace Weft.Extensions.AI;

/// <summary>A model in this process as an <see cref="IChatClient"/>. The model belongs to the caller. Thread-safe.</summary>
/// <param name="model">A model with a chat template.</param>
public sealed class WeftChatClient(LanguageModel model) : IChatClient
{
    private readonly ChatClientMetadata metadata = new("weft", null, Path.GetFileNameWithoutExtension(model.Model.Path));

    /// <inheritdoc/>
    /// <exception cref="WeftException">The conversation does not fit, an option is out of range, or the engine fails.</exception>
    /// <exception cref="NotSupportedException">The options ask for tools or a format of the answer.</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        using var generation = Start(messages, options, cancellationToken);
        var text = new StringBuilder();
        await foreach (var output in generation.Outputs.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            text.Append(output.Text);
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, text.ToString()))
        {
            ModelId = metadata.DefaultModelId,
            CreatedAt = DateTimeOffset.UtcNow,
            FinishReason = Reason(generation),
            Usage = Usage(generation),
        };
    }

    /// <inheritdoc/>
    /// <exception cref="WeftException">The conversation does not fit, an option is out of range, or the engine fails.</exception>
    /// <exception cref="NotSupportedException">The options ask for tools or a format of the answer.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var generation = Start(messages, options, cancellationToken);
        var id = Guid.NewGuid().ToString("n");
        ChatResponseUpdate Update(params AIContent[] contents) => new(ChatRole.Assistant, contents) { ResponseId = id, MessageId = id, ModelId = metadata.DefaultModelId };
        await foreach (var output in generation.Outputs.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            if (output.Text.Length > 0)
                yield return Update(new TextContent(output.Text));
        }

        var last = Update(new UsageContent(Usage(generation)));
        last.FinishReason = Reason(generation);
        yield return last;
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? metadata
            : serviceType == typeof(LanguageModel) ? model
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>Does nothing: the model belongs to the caller.</summary>
    public void Dispose()
    {
    }

    private Generation Start(IEnumerable<ChatMessage> messages, ChatOptions? options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (options?.Tools is { Count: > 0 })
            throw new NotSupportedException("Weft does not call tools yet.");
        if (options?.ResponseFormat is ChatResponseFormatJson)
            throw new NotSupportedException("Weft does not hold answers to a format yet.");
        var conversation = messages.Select(Text);
        if (options?.Instructions is { Length: > 0 } instructions)
            conversation = conversation.Prepend(new Chat.ChatMessage("system", instructions));
        return model.StartChat(conversation, Options(options), cancellationToken);
    }

    private static Chat.ChatMessage Text(ChatMessage message) => message.Contents.FirstOrDefault(content => content is not TextContent) is { } other
        ? throw new NotSupportedException($"Weft reads text only, and the message of '{message.Role}' holds a {other.GetType().Name}.")
        : new(message.Role.Value, message.Text);

    /// <summary>What is not given is as the checkpoint recommends.</summary>
    private GenerationOptions Options(ChatOptions? options)
    {
        var recommended = model.RecommendedSampling;
        return new GenerationOptions
        {
            MaxTokens = options?.MaxOutputTokens ?? model.Model.ContextLength,
            StopStrings = [.. options?.StopSequences ?? []],
            Sampling = new SamplingOptions
            {
                Temperature = options?.Temperature ?? recommended.Temperature,
                TopP = options?.TopP ?? recommended.TopP,
                TopK = options?.TopK ?? recommended.TopK,
                RepetitionPenalty = recommended.RepetitionPenalty,
                FrequencyPenalty = options?.FrequencyPenalty ?? 0,
                PresencePenalty = options?.PresencePenalty ?? 0,
                Seed = options?.Seed is >= 0 and var seed ? (ulong)seed : null,
            },
        };
    }

    private static ChatFinishReason Reason(Generation generation) => generation.FinishReason == FinishReason.Length ? ChatFinishReason.Length : ChatFinishReason.Stop;

    private static UsageDetails Usage(Generation generation) => new()
    {
        InputTokenCount = generation.PromptTokens,
        CachedInputTokenCount = generation.CachedTokens,
        OutputTokenCount = generation.GeneratedTokens,
        TotalTokenCount = generation.PromptTokens + generation.GeneratedTokens,
    };
}

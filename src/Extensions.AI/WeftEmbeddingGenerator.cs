using Microsoft.Extensions.AI;

namespace Weft.Extensions.AI;

/// <summary>A model in this process as an <see cref="IEmbeddingGenerator{String, Embedding}"/>. The model belongs to the caller. Thread-safe.</summary>
/// <param name="model">The model.</param>
/// <param name="pooling">How the tokens' hidden states become one vector.</param>
public sealed class WeftEmbeddingGenerator(LanguageModel model, Pooling pooling = Pooling.Mean) : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly EmbeddingGeneratorMetadata metadata =
        new("weft", null, Path.GetFileNameWithoutExtension(model.Model.Path), model.Model.Header.Model.HiddenSize);

    /// <inheritdoc/>
    /// <exception cref="WeftException">A text is empty or does not fit the context, or the engine fails.</exception>
    /// <exception cref="NotSupportedException">The options ask for another number of dimensions than the model's.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (options?.Dimensions is { } dimensions && dimensions != metadata.DefaultModelDimensions)
            throw new NotSupportedException($"The model's embeddings have {metadata.DefaultModelDimensions} dimensions, not {dimensions}.");
        var texts = values.Select(text => model.Tokenizer.Encode(text)).ToList();
        var vectors = await Task.WhenAll(texts.Select(text => model.Engine.EmbedAsync(text, pooling, cancellationToken))).ConfigureAwait(false);
        var tokens = texts.Sum(text => text.Length);
        return new(vectors.Select(vector => new Embedding<float>(vector) { ModelId = metadata.DefaultModelId, CreatedAt = DateTimeOffset.UtcNow }))
        {
            Usage = new() { InputTokenCount = tokens, TotalTokenCount = tokens },
        };
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? metadata
            : serviceType == typeof(LanguageModel) ? model
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>Does nothing: the model belongs to the caller.</summary>
    public void Dispose()
    {
    }
}

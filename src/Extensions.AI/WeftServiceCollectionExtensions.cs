using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Weft.Extensions.AI;

/// <summary>Registers a model for dependency injection.</summary>
public static class WeftServiceCollectionExtensions
{
    /// <summary>
    /// Registers one model: as <see cref="LanguageModel"/>, as <see cref="IChatClient"/> and as <see cref="IEmbeddingGenerator{String, Embedding}"/>, each a
    /// singleton over the same weights. It is loaded when first asked for and disposed with the container.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="path">A packed file.</param>
    /// <param name="modelOptions">How it is loaded.</param>
    /// <param name="engineOptions">How it is served.</param>
    public static IServiceCollection AddWeft(this IServiceCollection services, string path, ModelOptions? modelOptions = null, EngineOptions? engineOptions = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(path);
        return services
            .AddSingleton(_ => LanguageModel.Load(path, modelOptions, engineOptions))
            .AddSingleton<IChatClient>(provider => new WeftChatClient(provider.GetRequiredService<LanguageModel>()))
            .AddSingleton<IEmbeddingGenerator<string, Embedding<float>>>(provider => new WeftEmbeddingGenerator(provider.GetRequiredService<LanguageModel>()));
    }
}

using Weft.Tensors;

namespace Weft;

/// <summary>How a packed model is loaded.</summary>
public sealed record ModelOptions
{
    /// <summary>Where it runs: <c>auto</c> or <c>cpu</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Element type of the key/value cache.</summary>
    public DataType CacheType { get; init; } = DataType.Float16;

    /// <summary>Worker threads; 0 takes one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>Tokens that the key/value cache holds over all sequences; 0 takes the model's context length.</summary>
    public int CacheTokens { get; init; }

    /// <summary>Largest number of tokens in one step; longer prompts are processed in chunks of this size.</summary>
    public int MaxTokensPerStep { get; init; } = 512;
}

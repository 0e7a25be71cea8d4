namespace Weft.Models;

/// <summary>Special tokens and sampling settings that a checkpoint recommends (config.json, generation_config.json).</summary>
public sealed record GenerationDefaults
{
    /// <summary>Token that starts a sequence, if the model has one.</summary>
    public int? BosToken { get; init; }

    /// <summary>Tokens that end generation; a checkpoint may list several.</summary>
    public IReadOnlyList<int> EosTokens { get; init; } = [];

    /// <summary>Padding token, never generated on purpose.</summary>
    public int? PadToken { get; init; }

    /// <summary>Recommended temperature; null when the checkpoint says nothing or asks for greedy decoding.</summary>
    public float? Temperature { get; init; }

    /// <summary>Recommended top-k; null when the checkpoint says nothing.</summary>
    public int? TopK { get; init; }

    /// <summary>Recommended top-p; null when the checkpoint says nothing.</summary>
    public float? TopP { get; init; }

    /// <summary>Recommended repetition penalty; null when the checkpoint says nothing.</summary>
    public float? RepetitionPenalty { get; init; }
}

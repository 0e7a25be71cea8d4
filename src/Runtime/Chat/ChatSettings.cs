namespace Weft.Chat;

/// <summary>What a model's chat template needs beside its text.</summary>
public sealed record ChatSettings
{
    /// <summary>Further templates of the model by name, such as <c>tool_use</c> and <c>rag</c>.</summary>
    public IReadOnlyDictionary<string, string>? Templates { get; init; }

    /// <summary>Prompts get the tokenizer's own special tokens around them (usually BOS), since the template does not write them.</summary>
    public bool SpecialTokens { get; init; }

    /// <summary>Answers end before the first of these appears.</summary>
    public IReadOnlyList<string>? StopStrings { get; init; }
}

namespace Weft.Convert.Families;

/// <summary>
/// The format of prompts that chat models were trained on and do not carry with them, as most of 2023 do not. A user chooses it by name, unless
/// the checkpoint's own files say that it is of this format: a base model has the same architecture and often the same tokenizer, and must get none.
/// </summary>
/// <param name="Name">By which --chat-template chooses it.</param>
/// <param name="Template">The same as a chat template in Jinja.</param>
internal sealed record ChatFormat(string Name, string Template)
{
    /// <summary>Whether a checkpoint is certainly of this format; null where none says so.</summary>
    public Func<ChatEvidence, bool>? IsCertain { get; init; }

    /// <summary>Tokens that end an answer, beside those that the checkpoint says end a text.</summary>
    public IReadOnlyList<string> StopTokens { get; init; } = [];

    /// <summary>Texts before which an answer ends, where no token does.</summary>
    public IReadOnlyList<string>? StopStrings { get; init; }

    /// <summary>The release's code gave the prompt to the tokenizer as it gives any text, which puts its special tokens around it.</summary>
    public bool SpecialTokens { get; init; } = true;
}

/// <summary>What a checkpoint says of itself.</summary>
/// <param name="Config">Its config.json.</param>
/// <param name="Generation">Its generation_config.json, or null.</param>
/// <param name="HasToken">Whether its tokenizer has a token of this text.</param>
internal sealed record ChatEvidence(ConfigFile Config, ConfigFile? Generation, Func<string, bool> HasToken);

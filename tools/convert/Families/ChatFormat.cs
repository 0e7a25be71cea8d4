namespace Weft.Convert.Families;

/// <summary>
/// The format of prompts that chat models were trained on and do not carry with them, as most of 2023 do not. A user chooses it by name, unless
/// the checkpoint's own files say that it is of this format: a base model has the same architecture and often the same tokenizer, and must get none.
/// </summary>
/// <param name="Name">By which --chat-template chooses it.</param>
/// <param name="Turns">How messages are written, as a chat template in Jinja.</param>
internal sealed record ChatFormat(string Name, string Turns)
{
    /// <summary>Which messages the format has a place for. Others are refused: a model that never saw them would answer as if they had not been said.</summary>
    public ChatRoles Roles { get; init; } = ChatRoles.SystemFirst;

    /// <summary>The whole chat template.</summary>
    public string Template => Refusals() + Turns;

    /// <summary>Whether a checkpoint is certainly of this format; null where none says so.</summary>
    public Func<ChatEvidence, bool>? IsCertain { get; init; }

    /// <summary>Tokens that end an answer, beside those that the checkpoint says end a text.</summary>
    public IReadOnlyList<string> StopTokens { get; init; } = [];

    /// <summary>Texts before which an answer ends, where no token does.</summary>
    public IReadOnlyList<string>? StopStrings { get; init; }

    /// <summary>The release's code gave the prompt to the tokenizer as it gives any text, which puts its special tokens around it.</summary>
    public bool SpecialTokens { get; init; } = true;

    private string Refusals() => Roles switch
    {
        ChatRoles.All => "",
        ChatRoles.SystemFirst => Refusal("messages[1:] if messages and messages[0].role == 'system' else messages", "['user', 'assistant']"),
        ChatRoles.SystemAnywhere => Refusal("messages", "['user', 'assistant', 'system']"),
        _ => Refusal("messages", "['user', 'assistant']"),
    };

    private string Refusal(string asked, string known)
    {
        var place = Roles == ChatRoles.SystemFirst ? "(' but at the beginning' if m.role == 'system' else '')" : "''";
        return $"{{% for m in ({asked}) if m.role not in {known} %}}"
            + $"{{{{ raise_exception(\"the format '{Name}' has no place for messages of the role '\" ~ m.role ~ \"'\" ~ {place}) }}}}{{% endfor %}}";
    }
}

/// <summary>Which messages a format of prompts has a place for.</summary>
internal enum ChatRoles
{
    /// <summary>Those of user and assistant, and one of the system before them.</summary>
    SystemFirst,

    /// <summary>Those of user, assistant and system.</summary>
    SystemAnywhere,

    /// <summary>Those of user and assistant alone.</summary>
    UserAndAssistant,

    /// <summary>Any: the format writes the role's name.</summary>
    All,
}

/// <summary>What a checkpoint says of itself.</summary>
/// <param name="Config">Its config.json.</param>
/// <param name="Generation">Its generation_config.json, or null.</param>
/// <param name="HasToken">Whether its tokenizer has a token of this text.</param>
internal sealed record ChatEvidence(ConfigFile Config, ConfigFile? Generation, Func<string, bool> HasToken);

namespace Weft.Convert.Families;

/// <summary>ChatML (OpenAI 2023, chatml.md), which several families took over.</summary>
internal static class ChatMl
{
    /// <summary>Begins a message.</summary>
    public const string Start = "<|im_start|>";

    /// <summary>Ends a message.</summary>
    public const string End = "<|im_end|>";

    /// <summary>The format with a family's own system message where the conversation has none.</summary>
    public static ChatFormat With(string name, string system) => new(
        name,
        "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\n" + system + "<|im_end|>\\n' }}{% endif %}"
        + "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
    {
        StopTokens = [End, Start],
        Roles = ChatRoles.All,
    };
}

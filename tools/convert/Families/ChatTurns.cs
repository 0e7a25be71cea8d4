namespace Weft.Convert.Families;

/// <summary>Shapes that formats of several families share.</summary>
internal static class ChatTurns
{
    /// <summary>BELLE's format, of its LLaMA and BLOOM models: their cards, the space before the line break too.</summary>
    public static ChatFormat Belle { get; } = new("belle", """
        {%- for m in messages %}
        {%- if m.role == 'user' %}{{ 'Human: ' ~ m.content ~ ' \n\nAssistant:' }}
        {%- elif m.role == 'assistant' %}{{ ' ' ~ m.content ~ '\n' }}{% endif %}
        {%- endfor %}
        """) { StopStrings = ["\nHuman:"], Roles = ChatRoles.UserAndAssistant };

    /// <summary>RWKV's World models, as ChatRWKV talks with them.</summary>
    public static ChatFormat Rwkv { get; } = Colon("rwkv", "User", "Assistant", "\n\n", systemEnd: "\n\n") with { StopStrings = ["\n\nUser:"] };

    /// <summary>Names with a colon before each turn.</summary>
    public static ChatFormat Colon(string name, string user, string assistant, string end, string said = "", string systemName = "", string systemEnd = "") => new(name, $$$"""
        {%- set roles = {'user': {{{Text(user)}}}, 'assistant': {{{Text(assistant)}}}} %}
        {%- set system = messages[0].content if messages[0].role == 'system' else {{{Text(said)}}} %}
        {%- if system %}{{ {{{Text(systemName)}}} ~ system ~ {{{Text(systemEnd)}}} }}{% endif %}
        {%- for m in messages if m.role in roles %}{{ roles[m.role] ~ ': ' ~ m.content ~ {{{Text(end)}}} }}{% endfor %}
        {%- if add_generation_prompt %}{{ {{{Text(assistant + ":")}}} }}{% endif %}
        """);

    /// <summary>A token before each turn.</summary>
    public static ChatFormat Tokens(string name, string user, string assistant, string end = "", string system = "", string said = "") => new(name, $$$"""
        {%- set roles = {'user': {{{Text(user)}}}, 'assistant': {{{Text(assistant)}}}} %}
        {%- set system = messages[0].content if messages[0].role == 'system' else {{{Text(said)}}} %}
        {%- if system %}{{ {{{Text(system)}}} ~ system ~ {{{Text(system.Length > 0 ? end : "")}}} }}{% endif %}
        {%- for m in messages if m.role in roles %}{{ roles[m.role] ~ m.content ~ {{{Text(end)}}} }}{% endfor %}
        {%- if add_generation_prompt %}{{ {{{Text(assistant)}}} }}{% endif %}
        """);

    /// <summary>What Alpaca's prompts begin with. A system message takes its place, as FastChat's conversation templates have it.</summary>
    public static string Task(string gap) => $$$"""
        {{- messages[0].content if messages and messages[0].role == 'system' else 'Below is an instruction that describes a task. Write a response that appropriately completes the request.' }}
        {{- {{{Text(gap)}}} }}

        """;

    /// <summary>Alpaca's headings as Dolly has them: what is answered follows the heading's line.</summary>
    public static ChatFormat Instruction(string name, string gap = "\n\n", string end = "") => new(name, Task(gap) + $$$"""
        {%- for m in messages %}
        {%- if m.role == 'user' %}{{ '### Instruction:\n' ~ m.content ~ {{{Text(gap)}}} }}
        {%- elif m.role == 'assistant' %}{{ '### Response:\n' ~ m.content ~ {{{Text(gap + (end.Length > 0 ? end + gap : ""))}}} }}{% endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}
        """);

    /// <summary>A text as Jinja writes it.</summary>
    private static string Text(string text) => "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)
        .Replace("\n", "\\n", StringComparison.Ordinal) + "'";
}

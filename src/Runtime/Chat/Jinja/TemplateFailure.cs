namespace Weft.Chat.Jinja;

/// <summary>Rendering cannot go on. The message is the one that Python or jinja2 gives; the public exception adds where it happened.</summary>
internal sealed class TemplateFailure(string message) : Exception(message)
{
    /// <summary>Whether the template itself refused, with raise_exception.</summary>
    public bool IsRefusal { get; init; }
}

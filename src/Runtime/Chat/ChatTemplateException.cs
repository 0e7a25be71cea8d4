namespace Weft.Chat;

/// <summary>A chat template refuses the conversation it was given, or fails on it.</summary>
public sealed class ChatTemplateException : WeftException
{
    /// <summary>Creates the exception with what the template says itself.</summary>
    /// <param name="message">A sentence for the user.</param>
    /// <param name="reason">The template's own sentence, or the one that Python has for the failure.</param>
    public ChatTemplateException(string message, string reason) : base(message) => Reason = reason;

    /// <summary>Creates the exception with a sentence for the user.</summary>
    public ChatTemplateException(string message) : this(message, message)
    {
    }

    /// <summary>Creates the exception with a sentence for the user and the failure it was made from.</summary>
    public ChatTemplateException(string message, Exception innerException) : base(message, innerException) => Reason = message;

    /// <summary>For serializers and frameworks only; always pass a sentence.</summary>
    public ChatTemplateException() => Reason = "";

    /// <summary>The template's own sentence, such as "System role not supported"; for failures that it did not foresee, what Python says of them.</summary>
    public string Reason { get; }
}

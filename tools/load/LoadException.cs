namespace Weft.Load;

/// <summary>A load test cannot start, for a reason that the person at the keyboard can act on: the message is one sentence.</summary>
public sealed class LoadException : Exception
{
    /// <summary>Creates the exception with a sentence for the user.</summary>
    public LoadException(string message) : base(message)
    {
    }

    /// <summary>Creates the exception with a sentence for the user and the failure it was made from.</summary>
    public LoadException(string message, Exception innerException) : base(message, innerException)
    {
    }

    /// <summary>For frameworks only; always pass a sentence.</summary>
    public LoadException()
    {
    }
}

namespace Weft;

/// <summary>
/// A failure that the person at the keyboard can act on: the message is one sentence that names the file and the thing.
/// The command line prints it without a stack trace; every other exception type is a bug of ours.
/// </summary>
public class WeftException : Exception
{
    /// <summary>Creates the exception with a sentence for the user.</summary>
    public WeftException(string message) : base(message)
    {
    }

    /// <summary>Creates the exception with a sentence for the user and the failure it was made from.</summary>
    public WeftException(string message, Exception innerException) : base(message, innerException)
    {
    }

    /// <summary>For serializers and frameworks only; always pass a sentence.</summary>
    public WeftException()
    {
    }
}

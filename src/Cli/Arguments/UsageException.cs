namespace Weft.Cli.Arguments;

/// <summary>A command line that makes no sense; the message is one sentence and the exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);

using Weft.Cli.Output;

namespace Weft.Cli;

/// <summary>What a verb runs with.</summary>
/// <param name="Terminal">Where it reads and writes.</param>
/// <param name="Cancellation">Set by Ctrl-C.</param>
internal sealed record Session(Terminal Terminal, CancellationToken Cancellation);

/// <summary>One verb with its parsed options.</summary>
internal interface IVerb
{
    /// <summary>Does the work; returns one of <see cref="ExitCodes"/>.</summary>
    /// <exception cref="WeftException">It cannot be done, for a reason that the user can act on.</exception>
    /// <exception cref="Arguments.UsageException">An argument's value makes no sense.</exception>
    int Execute(Session session);
}

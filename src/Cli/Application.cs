using Weft.Cli.Arguments;
using Weft.Cli.Output;

namespace Weft.Cli;

/// <summary>Finds the verb, binds its arguments, runs it, and turns every failure into one sentence and an exit code.</summary>
internal static class Application
{
    private const string Verbose = "--verbose";

    /// <summary>Runs one command line; returns one of <see cref="ExitCodes"/>.</summary>
    public static int Run(ReadOnlySpan<string> arguments, Terminal terminal, CancellationToken cancellation)
    {
        var end = arguments.IndexOf("--");
        var options = end < 0 ? arguments : arguments[..end];
        var verbose = options.Contains(Verbose);
        string[] rest = [.. options.ToArray().Where(a => a != Verbose), .. arguments[options.Length..]];
        try
        {
            return Dispatch(rest, new Session(terminal, cancellation));
        }
        catch (Exception failure)
        {
            var code = Report(failure, rest, terminal, cancellation);
            if (verbose && code != ExitCodes.Interrupted)
                terminal.Error.WriteLine(failure);
            return code;
        }
    }

    private static int Dispatch(string[] arguments, Session session)
    {
        switch (arguments)
        {
            case [] or ["--help" or "-h"] or ["help"]:
                session.Terminal.Out.Write(HelpPage.OfProgram(VerbCatalog.All));
                return ExitCodes.Success;
            case ["--version"]:
                session.Terminal.Out.WriteLine("weft " + ProductVersion.Text);
                return ExitCodes.Success;
            case ["help", .. var topic]:
                session.Terminal.Out.Write(HelpPage.OfVerb(VerbCatalog.Find(string.Join(' ', topic)), VerbCatalog.All));
                return ExitCodes.Success;
        }

        var (match, words) = VerbCatalog.Match(arguments);
        var entry = match ?? VerbCatalog.Find(arguments[0]);
        var own = arguments.AsSpan(words);
        var end = own.IndexOf("--");
        if ((end < 0 ? own : own[..end]).IndexOfAny("--help", "-h") >= 0)
        {
            session.Terminal.Out.Write(HelpPage.OfVerb(entry, VerbCatalog.All));
            return ExitCodes.Success;
        }

        return entry.Run(ArgumentBinder.Bind(entry.Syntax, own), session);
    }

    private static int Report(Exception failure, string[] arguments, Terminal terminal, CancellationToken cancellation)
    {
        if (failure is AggregateException { InnerExceptions: [var only] })
            failure = only;
        switch (failure)
        {
            case OperationCanceledException when cancellation.IsCancellationRequested:
                terminal.Note("stopped");
                return ExitCodes.Interrupted;
            case UsageException:
                var verb = VerbCatalog.Match(arguments).Entry?.Syntax.Verb.Name;
                terminal.Note(failure.Message);
                terminal.Error.WriteLine($"      See 'weft {(verb is null ? "" : verb + " ")}--help'.");
                return ExitCodes.Usage;
            case WeftException or IOException or UnauthorizedAccessException:
                terminal.Note(failure.Message);
                return ExitCodes.Failure;
            case OutOfMemoryException:
                terminal.Note("there is not enough memory for this");
                return ExitCodes.Failure;
            default:
                terminal.Note($"internal error, please report it with the output of {Verbose}: {failure.GetType().Name}: {failure.Message}");
                return ExitCodes.Failure;
        }
    }
}

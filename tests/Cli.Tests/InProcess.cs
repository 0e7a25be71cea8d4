using Weft.Cli.Output;

namespace Weft.Cli.Tests;

/// <summary>Runs a command line inside the test process, with streams in memory; for what needs no signals and no model.</summary>
internal static class InProcess
{
    public static Outcome Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var terminal = new Terminal(TextReader.Null, output, error, outputIsScreen: false, errorIsScreen: false);
        var code = Application.Run(arguments, terminal, CancellationToken.None);
        return new(code, output.ToString(), error.ToString());
    }
}

using System.Runtime.InteropServices;
using CommandLine;
using CommandLine.Text;
using Spectre.Console;
using Weft;
using Weft.Convert;
using Weft.Convert.Families;

// The converter as an executable of its own; `weft convert` runs the same command.
var verbose = args.Contains("--verbose");
using var parser = new Parser(settings => settings.HelpWriter = null);
string[] arguments = [.. args.Where(argument => argument != "--verbose")];
if (ArgumentCheck.FindError(arguments) is { } error)
{
    Console.Error.WriteLine($"weft-convert: {ControlCharacters.Spell(error)}; --help explains the arguments");
    return 2;
}

var parsed = parser.ParseArguments<ConvertOptions>(arguments);
if (parsed.Value is not { } options)
{
    var help = HelpText.AutoBuild(parsed, text =>
    {
        text.Copyright = "";
        text.Heading = "Converts a Hugging Face checkpoint or a GGUF file into one packed file.";
        text.AddPostOptionsLine("--verbose shows the stack trace of a failure too.");
        text.AddPostOptionsLine("Example: Weft.Convert models/bard -o bard.weft --dtype bf16");
        text.AddPostOptionsLine($"Supported architectures: {string.Join(", ", FamilyCatalog.Architectures)}");
        return text;
    });
    var asked = parsed.Errors.All(error => error is HelpRequestedError or VersionRequestedError);
    (asked ? Console.Out : Console.Error).WriteLine(help);
    return asked ? 0 : 2;
}

using var cancellation = new CancellationTokenSource();
void Interrupt(PosixSignalContext context)
{
    context.Cancel = !cancellation.IsCancellationRequested; // a second one ends the process
    cancellation.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
try
{
    var console = Console.IsErrorRedirected ? null : AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
    ConvertCommand.Run(
        options, Console.Out, warning => Console.Error.WriteLine($"weft-convert: {ControlCharacters.Spell(warning)}"), console, cancellation.Token);
    return 0;
}
catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
{
    Console.Error.WriteLine("weft-convert: stopped");
    return 130;
}
catch (Exception failure) when (failure is WeftException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"weft-convert: {ControlCharacters.Spell(failure.Message)}");
    if (verbose)
        Console.Error.WriteLine(ControlCharacters.Spell(failure.ToString()));
    return 1;
}

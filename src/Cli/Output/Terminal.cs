using System.Text;
using Spectre.Console;

namespace Weft.Cli.Output;

/// <summary>Standard input, output and error of a run, and what they are connected to. Text is UTF-8 without a byte order mark.</summary>
internal sealed class Terminal
{
    /// <summary>Width of tables when nobody watches: nothing wraps that a program may want to read.</summary>
    private const int UnboundedWidth = 200;

    // Made when a verb asks for them: one that shows no table need not wait for the library to start.
    private readonly Lazy<IAnsiConsole> rich;
    private readonly Lazy<IAnsiConsole?> bar;

    /// <summary>Creates a terminal over the given streams.</summary>
    public Terminal(TextReader input, TextWriter output, TextWriter error, bool outputIsScreen, bool errorIsScreen)
    {
        In = input;
        Out = output;
        Error = error;
        OutputIsScreen = outputIsScreen;
        ErrorIsScreen = errorIsScreen;
        rich = new(() => Create(output, outputIsScreen, InteractionSupport.No));
        bar = new(() => errorIsScreen ? Create(error, errorIsScreen, InteractionSupport.Yes) : null);
    }

    /// <summary>Standard input.</summary>
    public TextReader In { get; }

    /// <summary>Standard output: results, and nothing else.</summary>
    public TextWriter Out { get; }

    /// <summary>Standard error: notes, statistics, failures.</summary>
    public TextWriter Error { get; }

    /// <summary>A person watches standard output.</summary>
    public bool OutputIsScreen { get; }

    /// <summary>A person watches standard error.</summary>
    public bool ErrorIsScreen { get; }

    /// <summary>Tables and colour on standard output; plain text when it is not a screen or NO_COLOR is set.</summary>
    public IAnsiConsole Rich => rich.Value;

    /// <summary>Where a progress bar can move: standard error, or null when nobody watches it.</summary>
    public IAnsiConsole? Bar => bar.Value;

    /// <summary>What Ctrl-C does instead of ending the verb; null while it ends it.</summary>
    public Action? Interrupted { get; set; }

    /// <summary>The streams of this process.</summary>
    public static Terminal OfProcess() => new(
        new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false)),
        Writer(Console.OpenStandardOutput()),
        Writer(Console.OpenStandardError()),
        !Console.IsOutputRedirected,
        !Console.IsErrorRedirected);

    /// <summary>One line about what is going on, on standard error.</summary>
    public void Note(string sentence) => Error.WriteLine("weft: " + sentence);

    private static StreamWriter Writer(Stream stream) => new(stream, new UTF8Encoding(false)) { AutoFlush = true };

    private static IAnsiConsole Create(TextWriter writer, bool isScreen, InteractionSupport interaction)
    {
        var styled = isScreen && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = styled ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = styled ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = interaction,
            Out = new AnsiConsoleOutput(writer),
        });
        if (!isScreen)
            console.Profile.Width = UnboundedWidth;
        return console;
    }
}

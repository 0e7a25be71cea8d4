using System.Text;
using Microsoft.Win32.SafeHandles;
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
    private readonly TextWriter screen;

    /// <summary>Creates a terminal over the given streams.</summary>
    public Terminal(TextReader input, TextWriter output, TextWriter error, bool outputIsScreen, bool errorIsScreen)
    {
        In = input;
        screen = output;
        // A program that reads the output gets every character of it; a log of errors is looked at with a terminal sooner or later.
        Out = outputIsScreen ? new PlainWriter(output) : output;
        Error = new PlainWriter(error);
        OutputIsScreen = outputIsScreen;
        ErrorIsScreen = errorIsScreen;
        rich = new(() => Create(output, outputIsScreen, InteractionSupport.No));
        bar = new(() => errorIsScreen ? Create(error, errorIsScreen, InteractionSupport.Yes) : null);
    }

    /// <summary>Standard input.</summary>
    public TextReader In { get; }

    /// <summary>Standard output: results, and nothing else. On a screen, control characters are spelled out.</summary>
    public TextWriter Out { get; }

    /// <summary>Standard error: notes, statistics, failures. Control characters are spelled out.</summary>
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
        new StreamReader(Input(), new UTF8Encoding(false)),
        Writer(Console.OpenStandardOutput()),
        Writer(Console.OpenStandardError()),
        !Console.IsOutputRedirected,
        !Console.IsErrorRedirected);

    /// <summary>One line about what is going on, on standard error.</summary>
    public void Note(string sentence) => Error.WriteLine("weft: " + sentence);

    /// <summary>Whether text on standard output may have colours and weights.</summary>
    public bool IsStyled => OutputIsScreen && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <summary>Changes how the text on the screen looks from here on, where that is wanted.</summary>
    /// <param name="sequence">A control sequence.</param>
    public void Style(string sequence)
    {
        if (IsStyled)
            screen.Write(sequence);
    }

    /// <summary>
    /// On Unix, .NET edits the lines of a terminal itself and keeps a half line over Ctrl-C; the system's own terminal, which drops it, is read instead.
    /// </summary>
    private static Stream Input() => Console.IsInputRedirected || OperatingSystem.IsWindows()
        ? Console.OpenStandardInput()
        : new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);

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

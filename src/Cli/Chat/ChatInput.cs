using System.Text;
using Weft.Cli.Output;

namespace Weft.Cli.Chat;

/// <summary>Reads what the user says: a line, or several between two that hold three quotation marks alone.</summary>
internal sealed class ChatInput(Session session)
{
    /// <summary>Begins and ends a message of several lines.</summary>
    public const string Fence = "\"\"\"";

    private const string Mark = "> ";

    private readonly bool isWatched = session.Terminal.OutputIsScreen && !Console.IsInputRedirected;
    private volatile bool isDropped;

    /// <summary>The next message or command; null at the end of the input.</summary>
    /// <param name="isText">It was fenced, so that it is no command whatever it begins with.</param>
    /// <exception cref="OperationCanceledException">The program is told to end.</exception>
    public string? Read(out bool isText)
    {
        var line = ReadLine(Mark);
        while (line?.Trim() == Fence)
        {
            isDropped = false;
            var text = new StringBuilder();
            line = ReadLine("… ");
            for (; !isDropped; line = ReadLine("… "))
            {
                if (line is null || line.Trim() == Fence)
                {
                    isText = true;
                    return text.ToString();
                }

                text.Append(text.Length > 0 ? "\n" : "").Append(line);
            }
        }

        isText = false;
        return line;
    }

    /// <summary>Begins the message anew, as Ctrl-C asks: the terminal has thrown the line away already, and the lines before it go too.</summary>
    public void Drop()
    {
        isDropped = true;
        if (isWatched)
            session.Terminal.Out.WriteLine();
        session.Terminal.Note("Ctrl-D or /exit ends");
        if (isWatched)
            session.Terminal.Out.Write(Mark);
    }

    private string? ReadLine(string mark)
    {
        if (isWatched)
            session.Terminal.Out.Write(mark);
        // A read from a terminal cannot be cancelled; it is left alone on its thread, which does not keep the process alive.
        var line = Task.Run(session.Terminal.In.ReadLine).WaitAsync(session.Cancellation).GetAwaiter().GetResult();
        if (line is null && isWatched)
            session.Terminal.Out.WriteLine(); // Ctrl-D leaves the cursor behind the mark
        return line;
    }
}

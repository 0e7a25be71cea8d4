using Weft.Cli.Output;

namespace Weft.Cli.Chat;

/// <summary>Ctrl-C in a conversation: stops the answer that is being written, not the program.</summary>
internal sealed class AnswerInterrupt : IDisposable
{
    private readonly Lock gate = new();
    private readonly Terminal terminal;
    private Generation? current;

    /// <summary>Takes Ctrl-C over.</summary>
    /// <param name="terminal">Where it is pressed.</param>
    /// <param name="onIdle">Called when nothing is being written.</param>
    public AnswerInterrupt(Terminal terminal, Action onIdle)
    {
        this.terminal = terminal;
        terminal.Interrupted = () =>
        {
            lock (gate)
            {
                if (current is null)
                    onIdle();
                else
                    current.Cancel();
            }
        };
    }

    /// <summary>The answer that is being written, or null.</summary>
    public Generation? Current
    {
        set
        {
            lock (gate)
                current = value;
        }
    }

    /// <summary>Gives Ctrl-C back.</summary>
    public void Dispose() => terminal.Interrupted = null;
}

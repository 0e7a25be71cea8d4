using System.Runtime.InteropServices;

namespace Weft.Cli.Chat;

/// <summary>Ctrl-C in a conversation: stops the answer that is being written, not the program.</summary>
internal sealed class AnswerInterrupt : IDisposable
{
    private readonly Lock gate = new();
    private readonly PosixSignalRegistration registration;
    private Generation? current;

    /// <summary>Takes Ctrl-C over.</summary>
    /// <param name="onIdle">Called when nothing is being written.</param>
    public AnswerInterrupt(Action onIdle) => registration = PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
    {
        context.Cancel = true;
        lock (gate)
        {
            if (current is null)
                onIdle();
            else
                current.Cancel();
        }
    });

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
    public void Dispose() => registration.Dispose();
}

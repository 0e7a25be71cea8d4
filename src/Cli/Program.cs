using System.Runtime.InteropServices;
using Weft.Cli;
using Weft.Cli.Output;

// The first Ctrl-C (or SIGTERM) asks the verb to stop cleanly; a second one is left to the system, which ends the process. A verb may take
// Ctrl-C for itself.
var terminal = Terminal.OfProcess();
using var cancellation = new CancellationTokenSource();
var interrupts = 0;
void Interrupt(PosixSignalContext context)
{
    if (context.Signal == PosixSignal.SIGINT && terminal.Interrupted is { } interrupted)
    {
        context.Cancel = true;
        interrupted();
        return;
    }

    context.Cancel = Interlocked.Increment(ref interrupts) == 1;
    cancellation.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
return Application.Run(args, terminal, cancellation.Token);

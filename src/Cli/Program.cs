using System.Runtime.InteropServices;
using Weft.Cli;
using Weft.Cli.Output;

// The first Ctrl-C (or SIGTERM) asks the verb to stop cleanly; a second one is left to the system, which ends the process. A verb that takes
// Ctrl-C for itself is asked before this, since handlers run in the reverse order of their registration.
using var cancellation = new CancellationTokenSource();
var interrupts = 0;
void Interrupt(PosixSignalContext context)
{
    if (context.Cancel)
        return;
    context.Cancel = Interlocked.Increment(ref interrupts) == 1;
    cancellation.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
return Application.Run(args, Terminal.OfProcess(), cancellation.Token);

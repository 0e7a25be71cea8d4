using System.Diagnostics;
using Spectre.Console;
using Weft.Interop;
using Weft.Profile.Documents;
using Weft.Profile.Workloads;

namespace Weft.Profile.Gpu;

/// <summary><c>weft profile gpu</c>: first whether the device computes right, then how fast, against the ceilings of the same run and PyTorch.</summary>
internal static class GpuProfile
{
    /// <summary>Checks and measures everything; writes tables to <paramref name="console"/> and what <paramref name="options"/> ask for.</summary>
    /// <returns>True when no check failed.</returns>
    public static bool Run(ProfileOptions options, IAnsiConsole console, Action<string> note, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var isTrial = CudaLibraries.Selected == CudaPlatform.Simulator;
        if (options.Out is { } folder)
            Directory.CreateDirectory(folder);

        // A missing device ends the run before the checks would fail one by one.
        var device = CudaDeviceInfo.Get(0);
        var checks = new CorrectnessChecks(options.Device ?? "cuda", note, cancellationToken).Run(options.Tests, options.Goldens);
        var models = isTrial ? ModelShape.Trial : ModelShape.Real;
        var clocks = DeviceClocks.Read(isTrial, cancellationToken);
        Ceilings ceilings;
        IReadOnlyList<GpuRow> rows;
        using (var context = CudaContext.Create(0))
        using (var kernels = new KernelTimings(context, isTrial))
            (ceilings, rows) = kernels.Measure(models, note, cancellationToken);
        var trace = new TraceFile(device.Name);
        var timings = new ModelTimings(ceilings, trace, isTrial);
        var timed = timings.Measure(models, note, cancellationToken);
        var clocksAfter = DeviceClocks.Read(isTrial, cancellationToken);
        note("PyTorch at the same work");
        (rows, var peer) = TorchPeer.Measure(rows, cancellationToken);
        var report = new GpuReport(
            device.Name, device.ComputeCapability, CudaDeviceInfo.Text(device.DriverVersion), $"before {clocks}; after {clocksAfter}", ceilings, checks, rows, timed, timings.Choices, peer,
            Stopwatch.GetElapsedTime(start).TotalSeconds);
        GpuTables.Write(console, report);
        if (options.Out is { } target)
        {
            report.Document().Write(Path.Combine(target, "gpu.json"));
            trace.Write(Path.Combine(target, "trace.json"));
            File.WriteAllText(Path.Combine(target, "gpu.md"), GpuTables.Markdown(report));
        }

        return report.Passed;
    }
}

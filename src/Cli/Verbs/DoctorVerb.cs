using System.Globalization;
using System.Runtime.InteropServices;
using CommandLine;
using Weft.Cli.Output;
using Weft.Cli.Probes;
using Weft.Profile.Probes;
using Weft.Cli.Storage;
using Weft.Interop;

namespace Weft.Cli.Verbs;

/// <summary><c>weft doctor</c>: what this machine has and what is missing, one line each.</summary>
[Verb("doctor", HelpText = "Shows what this machine has and what is missing, one line each; exit code 1 when something required is missing.")]
internal sealed class DoctorVerb : IVerb
{
    private const int BandwidthPasses = 5;

    private enum Mark
    {
        Ok,
        Note,
        Missing,
    }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        var healthy = true;
        foreach (var (mark, name, text) in Examine())
        {
            session.Cancellation.ThrowIfCancellationRequested();
            healthy &= mark != Mark.Missing;
            session.Terminal.Out.WriteLine($"{mark.ToString().ToLowerInvariant(),-8} {name,-20} {text}");
        }

        return healthy ? ExitCodes.Success : ExitCodes.Failure;
    }

    private static IEnumerable<(Mark Mark, string Name, string Text)> Examine()
    {
        yield return (Mark.Ok, "system", $"{RuntimeInformation.OSDescription} ({RuntimeInformation.OSArchitecture})");
        yield return (Mark.Ok, ".NET", RuntimeInformation.FrameworkDescription);
        yield return (Mark.Ok, "processor", $"{ProcessorDescription.Name}, {Environment.ProcessorCount} logical processors");
        yield return (Mark.Ok, "instructions", ProcessorDescription.InstructionSets);
        yield return (Mark.Ok, "memory", $"{Units.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} for this process");
        yield return Speed();
        foreach (var library in CudaLibraries.Probe())
            yield return library.Path is { } path ? (Mark.Ok, library.Name, path) : (Mark.Note, library.Name, $"not found; {library.Advice}");
        yield return Gpu();
        yield return Cache();
        yield return Models();
    }

    private static (Mark Mark, string Name, string Text) Speed()
    {
        var probe = new MachineProbe(Environment.ProcessorCount);
        var bandwidth = Spread.Of([.. Enumerable.Range(0, BandwidthPasses).Select(_ => probe.MeasureReadBandwidth() / 1e9)]);
        var rate = Spread.Of([.. Enumerable.Range(0, BandwidthPasses).Select(_ => probe.MeasureFusedMultiplyAdd() / 1e9)]);
        return (Mark.Ok, "speed", string.Create(
            CultureInfo.InvariantCulture,
            $"{bandwidth.Median:F1} GB/s memory read ({bandwidth.Min:F1}–{bandwidth.Max:F1}), {rate.Median:N0} GFLOP/s multiply-add, {probe.Threads} threads"));
    }

    private static (Mark Mark, string Name, string Text) Gpu()
    {
        if (CudaLibraries.Probe()[0].Path is null)
            return (Mark.Note, "GPU", "no driver: models run on the processor");
        try
        {
            var devices = Enumerable.Range(0, CudaDeviceInfo.Count()).Select(CudaDeviceInfo.Get).ToList();
            return devices.Count == 0
                ? (Mark.Note, "GPU", "the driver finds none: models run on the processor")
                : (Mark.Ok, "GPU", string.Join("; ", devices.Select(device =>
                    $"{device.Name} (compute capability {device.Major}.{device.Minor}, {Units.Bytes(device.TotalMemory)}, driver for CUDA {CudaDeviceInfo.Text(device.DriverVersion)})")));
        }
        catch (InteropException exception)
        {
            return (Mark.Note, "GPU", $"models run on the processor ({exception.Message})");
        }
    }

    private static (Mark Mark, string Name, string Text) Cache()
    {
        var folder = ModelStore.CacheFolder;
        try
        {
            Directory.CreateDirectory(folder);
            var probe = Path.Combine(folder, $".doctor.{Environment.ProcessId}.tmp");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return (Mark.Missing, "cache folder", $"{folder} cannot be written (set XDG_CACHE_HOME to another place)");
        }

        var used = new DirectoryInfo(folder).EnumerateFiles("*.weft").Sum(file => file.Length);
        return (Mark.Ok, "cache folder", $"{folder}, {Units.Bytes(used)} used, {Units.Bytes(new DriveInfo(folder).AvailableFreeSpace)} free");
    }

    private static (Mark Mark, string Name, string Text) Models()
    {
        var models = Repository.Models();
        return models.Count > 0
            ? (Mark.Ok, "models", string.Join(", ", models.Select(path => "models/" + Path.GetFileName(path))))
            : (Mark.Note, "models", "none in models/; 'weft convert' or 'weft run' take any checkpoint folder");
    }
}

using System.Globalization;
using Spectre.Console;
using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Profile.Compare;
using Weft.Profile.Documents;
using Weft.Profile.Gpu;
using Weft.Profile.Model;
using Weft.Profile.Report;
using Weft.Profile.Sim;
using Weft.Profile.Static;

namespace Weft.Profile;

/// <summary>Runs a profile for a person: tables on a console, and JSON where asked.</summary>
public static class ProfileCommand
{
    /// <summary>What there is.</summary>
    public static IReadOnlyList<string> Names { get; } = ["static", "sim", "gpu", "model", "compare", "report"];

    /// <summary>Does what <paramref name="options"/> say.</summary>
    /// <param name="options">The parsed arguments.</param>
    /// <param name="console">Where tables go.</param>
    /// <param name="load">Loads a model by its path and a device's name, or null for the default.</param>
    /// <param name="note">Is told what is going on, a sentence at a time.</param>
    /// <param name="cancellationToken">Stops between two compilations.</param>
    /// <returns>True when everything is within its bounds.</returns>
    /// <exception cref="WeftException">An argument makes no sense, or the result cannot be written.</exception>
    public static bool Run(
        ProfileOptions options, IAnsiConsole console, Func<string, string?, Weft.Model> load, Action<string> note, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(console);
        ArgumentNullException.ThrowIfNull(load);
        ArgumentNullException.ThrowIfNull(note);
        return options.What switch
        {
            "gpu" => RunGpu(options, console, note, cancellationToken),
            "model" => RunModel(options, console, load, note, cancellationToken),
            "compare" => RunCompare(options, console),
            "report" => RunReport(options, note),
            "sim" => RunSim(options, console, note, cancellationToken),
            _ => RunStatic(options, console, note, cancellationToken),
        };
    }

    private static bool RunCompare(ProfileOptions options, IAnsiConsole console)
    {
        if (options.Files.ToArray() is not [var from, var to])
            throw new WeftException("compare needs two files: the baseline, then what is held to it");
        if (options.Threshold is not >= 0)
            throw new WeftException($"--threshold is a percentage of 0 or more, not {options.Threshold}");
        var (threshold, head) = (options.Threshold / 100, ProfileDocument.Read(to));
        var comparison = Comparison.Of(ProfileDocument.Read(from), head, threshold);
        var report = new CompareReport(head, comparison, threshold);
        report.Write(console);
        if (options.Markdown is not null)
            OutputFile.Write(options.Markdown, report.Markdown());
        if (options.JUnit is not null)
            OutputFile.Write(options.JUnit, report.JUnit());
        return !comparison.HasRegression;
    }

    private static bool RunReport(ProfileOptions options, Action<string> note)
    {
        var documents = options.Files.Select(ProfileDocument.Read).ToList();
        if (documents.Count == 0)
            throw new WeftException("report needs files: what 'weft profile static --json FILE' and the other profiles write");
        if (options.Html is null && options.Svg is null)
            throw new WeftException("report writes a page with --html FILE, a picture with --svg FILE, or both");
        var report = new HtmlReport(documents);
        if (options.Html is not null)
            OutputFile.Write(options.Html, report.Page());
        if (options.Svg is not null)
            OutputFile.Write(options.Svg, report.Picture());
        note($"wrote {string.Join(" and ", new[] { options.Html, options.Svg }.OfType<string>())}");
        return true;
    }

    private static bool RunModel(
        ProfileOptions options, IAnsiConsole console, Func<string, string?, Weft.Model> load, Action<string> note, CancellationToken cancellationToken)
    {
        if (options.Files.ToArray() is not [var path])
            throw new WeftException("model needs one model: a .weft file or a checkpoint folder");
        using var model = load(path, options.Device);
        var document = new ModelProfile(model, options.Trace, cancellationToken).Run(console, note);
        if (options.Json is not null)
            document.Write(options.Json);
        return true;
    }

    private static bool RunSim(ProfileOptions options, IAnsiConsole console, Action<string> note, CancellationToken cancellationToken)
    {
        CudaLibraries.Select(CudaPlatform.Simulator);
        note("counting on the software device");
        try
        {
            var (document, rows) = SimProfile.Run(options.Kernel, cancellationToken);
            SimProfile.Write(console, rows);
            if (options.Json is not null)
                document.Write(options.Json);
            return true;
        }
        catch (InteropException failure)
        {
            throw new WeftException(failure.Message, failure);
        }
    }

    private static bool RunGpu(ProfileOptions options, IAnsiConsole console, Action<string> note, CancellationToken cancellationToken)
    {
        CudaLibraries.Select(options.Device switch
        {
            null or "cuda" => CudaPlatform.Nvidia,
            "sim" => CudaPlatform.Simulator,
            var other => throw new WeftException($"--device is cuda or sim, not '{other}'"),
        });
        try
        {
            return GpuProfile.Run(options, console, note, cancellationToken);
        }
        catch (Exception failure) when (failure is InteropException or IOException or UnauthorizedAccessException)
        {
            throw new WeftException(failure.Message, failure);
        }
    }

    private static bool RunStatic(ProfileOptions options, IAnsiConsole console, Action<string> note, CancellationToken cancellationToken)
    {
        var architectures = ParseArchitectures(options.Architectures);

        IEnumerable<KernelInstance> Instances(KernelArchitecture architecture) => KernelCatalog.For(architecture.Number)
            .Where(instance => instance.Expression.Contains(options.Kernel, StringComparison.Ordinal));
        if (!architectures.SelectMany(Instances).Any())
            throw new WeftException($"no kernel instance holds '{options.Kernel}' in its name");

        CudaLibraries.Select(CudaPlatform.Nvidia);
        string version;
        try
        {
            var (major, minor) = CudaRuntimeCompiler.Version();
            version = string.Create(CultureInfo.InvariantCulture, $"{major}.{minor}");
        }
        catch (CudaUnavailableException failure)
        {
            throw new WeftException($"the kernels cannot be compiled on this machine: {failure.Message}", failure);
        }

        var known = options.Known is null ? KnownInstances.None : new(ProfileDocument.Read(options.Known), version);
        var sources = KernelSources.Load();
        note($"compiling kernels for {string.Join(", ", architectures.Select(a => a.Name))} with NVRTC {version}");
        var report = StaticCheck.Run(options.Kernel, Instances, sources, architectures, version, known, cancellationToken);
        StaticTable.Write(console, report);
        if (options.Json is not null)
            report.Document().Write(options.Json);
        return report.Passed;
    }

    private static KernelArchitecture[] ParseArchitectures(string? list)
    {
        if (list is null)
            return [.. KernelArchitecture.Checked];
        return
        [
            .. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(name =>
                KernelArchitecture.TryParse(name, out var architecture) && GpuModel.All.Any(model => model.ComputeCapability == architecture.Number)
                    ? architecture
                    : throw new WeftException($"'{name}' is not an architecture that is profiled; those are {string.Join(", ", KernelArchitecture.Checked.Select(known => known.Name))}")),
        ];
    }
}

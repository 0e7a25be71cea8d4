using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Weft.Tensors;

namespace Weft.Convert;

/// <summary>Runs a conversion for a person: a progress bar on a terminal, one line at the end everywhere.</summary>
public static class ConvertCommand
{
    private const int DefaultGroupSize = 128;

    /// <summary>Converts as <paramref name="options"/> say.</summary>
    /// <param name="options">The parsed arguments.</param>
    /// <param name="output">Where the result is said.</param>
    /// <param name="warn">Takes sentences about what to look after.</param>
    /// <param name="console">Where a progress bar can be drawn, or null.</param>
    /// <param name="cancellationToken">Stops it; nothing is left behind.</param>
    /// <exception cref="WeftException">It cannot be done.</exception>
    public static void Run(ConvertOptions options, TextWriter output, Action<string> warn, IAnsiConsole? console, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(warn);
        DataType? type = null;
        if (options.DataType is not null)
        {
            type = DataTypes.TryParse(options.DataType, out var known) && !known.IsQuantized()
                ? known
                : throw new WeftException($"--dtype {options.DataType} is not supported; use bf16, f16 or f32");
        }

        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(options.Source)));
        var target = options.Output ?? (File.Exists(options.Source) ? Path.GetFileNameWithoutExtension(name) : name) + ".weft";
        var conversion = new ConversionOptions(options.Source, target, type, GroupSize(options)) { ChatTemplate = options.ChatTemplate };
        var clock = Stopwatch.StartNew();
        var result = console is null
            ? Converter.Convert(conversion, null, cancellationToken)
            : WithProgress(console, conversion, cancellationToken);
        var seconds = clock.Elapsed.TotalSeconds;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{result.Output}: {result.Architecture}, {result.Tensors} tensors, {result.OutputBytes / 1e6:f1} MB in {seconds:f1} s ({result.SourceBytes / 1e9 / seconds:f2} GB/s)"));
        foreach (var warning in result.Warnings)
            warn(warning);
    }

    private static int? GroupSize(ConvertOptions options)
    {
        if (options.Quant is null)
        {
            return options.Method is null && options.GroupSize is null
                ? null
                : throw new WeftException("--method and --group-size belong to --quant");
        }

        if (options.Quant != "int4")
            throw new WeftException($"--quant {options.Quant} is not supported; use int4");
        if (options.Method is not (null or "rtn"))
            throw new WeftException($"--method {options.Method} is not supported; use rtn");
        var size = options.GroupSize ?? DefaultGroupSize;
        return size is -1 or 32 || (size > 0 && size % 64 == 0)
            ? size
            : throw new WeftException($"--group-size {size} is not supported; use 32, a multiple of 64, or -1 for all columns");
    }

    private static ConversionResult WithProgress(IAnsiConsole console, ConversionOptions options, CancellationToken cancellationToken) => console.Progress()
        .AutoClear(true)
        .Columns(
            new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn { Culture = CultureInfo.InvariantCulture },
            new TransferSpeedColumn { Culture = CultureInfo.InvariantCulture }, new RemainingTimeColumn())
        .Start(context =>
        {
            var task = context.AddTask(Path.GetFileName(options.Output).EscapeMarkup());
            return Converter.Convert(options, new Reporter(task), cancellationToken);
        });

    /// <summary>Hands progress to the bar on the converting thread; <see cref="Progress{T}"/> would post it elsewhere, out of order.</summary>
    private sealed class Reporter(ProgressTask task) : IProgress<ConversionProgress>
    {
        public void Report(ConversionProgress value)
        {
            task.MaxValue = Math.Max(value.BytesTotal, 1);
            task.Value = value.BytesDone;
        }
    }
}

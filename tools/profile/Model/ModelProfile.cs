using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Weft.Backends;
using Weft.KvCache;
using Weft.Profile.Documents;
using Weft.Profile.Gpu;
using Weft.Profile.Probes;
using Weft.Sampling;
using Weft.Scheduling;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Profile.Model;

/// <summary>
/// <c>weft profile model</c>: each node of a model's graph in a prefill and in a decode step, against the machine's ceilings measured in the
/// same run.
/// </summary>
internal sealed class ModelProfile(Weft.Model model, string? trace, CancellationToken cancellationToken)
{
    private const int Repeats = 9;
    private const int MostPrompt = 512;
    private const int TokenSeed = 20;
    private const int FewestWarmUps = 3;

    // Until the just-in-time compiler is done with what steps run through.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, TensorEntry> tensors = model.Header.Tensors.ToDictionary(tensor => tensor.Name);
    private readonly List<NodeRow> rows = [];
    private readonly TraceFile timeline = new(model.DeviceName);

    /// <summary>Measures, writes the tables and returns the figures.</summary>
    public ProfileDocument Run(IAnsiConsole console, Action<string> note)
    {
        note("measuring the ceilings");
        var (ceilings, ceilingWords) = MeasureCeilings();
        var description = model.Header.Model;
        var prompt = Math.Clamp(Math.Min(MostPrompt, model.MaxTokensPerStep), 1, Math.Max(1, model.ContextLength / 2));
        var decode = new StepSize(1, 1, prompt, 1, model.ActivationType.Size(), model.CacheType.Size(), description.Encoder is null ? 0 : prompt);
        var (name, first) = description.Encoder is null
            ? ($"prefill of {prompt}", decode with { TokensEach = prompt, Before = 0 })
            : ($"encoding of {prompt}, first token", decode with { Before = 0, Encodes = true });
        note($"{name}, and decode after {prompt}, {Repeats} times");
        Measure(name, first, ceilings);
        Measure($"decode at {prompt}", decode, ceilings);
        if (trace is not null)
            timeline.Write(trace);
        foreach (var step in rows.GroupBy(row => row.Step))
            Write(console, step.Key, [.. step]);
        console.WriteLine($"{model.DeviceName}: {ceilingWords}");
        return ProfileDocument.Of(
            "model", [("device", model.DeviceName), ("model", $"{description.Layers.Count} layers, {description.HiddenSize} wide")], rows.Select(row => row.Figures(model.DeviceName)));
    }

    private (Ceilings Ceilings, string Words) MeasureCeilings()
    {
        if (!model.DeviceName.StartsWith("cpu", StringComparison.Ordinal))
        {
            using var timings = new GpuCeilings();
            var gpu = timings.Measure();
            return (gpu, string.Create(CultureInfo.InvariantCulture, $"copies {gpu.CopyBytesPerSecond / 1e9:F0} GB/s, bf16 product {gpu.MatrixOperationsPerSecond / 1e12:F1} TFLOP/s"));
        }

        var probe = new MachineProbe(Environment.ProcessorCount);
        probe.MeasureReadBandwidth();
        var cpu = new Ceilings(probe.MeasureReadBandwidth(), probe.MeasureFusedMultiplyAdd());
        return (cpu, string.Create(
            CultureInfo.InvariantCulture,
            $"reads {cpu.CopyBytesPerSecond / 1e9:F1} GB/s, float32 multiply-adds {cpu.MatrixOperationsPerSecond / 1e9:F0} GFLOP/s; products of 8-bit integers may pass the latter, what lies in the cache the former"));
    }

    /// <summary>The median of repetitions; the first ones, which compile and choose, do not count.</summary>
    private void Measure(string name, StepSize size, Ceilings ceilings)
    {
        var random = new Random(TokenSeed);
        var tokens = Enumerable.Range(0, size.Before + size.TokensEach).Select(_ => random.Next(model.Header.Model.VocabularySize)).ToArray();
        var table = new BlockTable(model.Blocks, model.Positions, model.States);
        var source = size.SourceTokens == 0 ? null
            : new RequestSource([.. Enumerable.Range(0, size.SourceTokens).Select(_ => random.Next(model.Header.Model.VocabularySize))], new BlockTable(model.Blocks, model.ContextLength));
        try
        {
            if (!table.TryExtend(tokens.Length, out _) || source?.Table.TryExtend(size.SourceTokens, out _) == false)
                throw new WeftException("the key/value cache is too small for the profile's steps");
            if (size.Before > 0)
                Step(table, tokens.AsSpan(0, size.Before), 0, source, encodes: true);
            var warmUp = Stopwatch.StartNew();
            for (var step = 0; step < FewestWarmUps || warmUp.Elapsed < WarmUp; step++)
                Step(table, tokens.AsSpan(size.Before), size.Before, source, size.Encodes);
            var times = new List<IReadOnlyList<NodeTime>>();
            for (var repeat = 0; repeat < Repeats; repeat++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                times.Add(Step(table, tokens.AsSpan(size.Before), size.Before, source, size.Encodes));
            }

            timeline.Add(name, times[^1].Where(time => size.Encodes || time.Node is not { IsOfSource: true }).Select(time => (time, Work(time.Node, size))));
            // A node of the graph is one or several operations in a row.
            var nodes = times[0].Select((time, i) => (time.Node, Index: i)).Where(pair => size.Encodes || pair.Node is not { IsOfSource: true }).GroupBy(pair => pair.Node, ReferenceEqualityComparer.Instance)
                .Select(group => (group.First().Node, Indices: group.Select(pair => pair.Index).ToList()));
            foreach (var (node, indices) in nodes)
            {
                var samples = times.Select(repeat => indices.Sum(i => repeat[i].Microseconds)).ToArray();
                var work = Work(node, size);
                rows.Add(new(name, work, samples, ceilings.Floor(work.Bytes, work.Operations)));
            }
        }
        finally
        {
            table.Truncate(0);
            source?.Table.Truncate(0);
        }
    }

    private NodeWork Work(Graph.Node? node, StepSize size) =>
        node is null ? NodeWork.Drawing(size.LogitRows, model.Header.Model.VocabularySize) : NodeWork.Of(node, name => tensors[name], size);

    private IReadOnlyList<NodeTime> Step(BlockTable table, ReadOnlySpan<int> tokens, int position, RequestSource? source, bool encodes)
    {
        var batch = model.Program.Batch;
        batch.Clear();
        batch.Add(tokens, position, table, LogitRows.Last, drawn: tokens.Length == 1 ? 1 : 0, new Sampler(new(), model.Header.Model.VocabularySize), source: source?.Table);
        if (source is not null && encodes)
            batch.AddSource(source.Tokens, source.Table);
        var times = model.Program.SubmitTimed();
        model.Program.Receive(model.Program.LastStep);
        return times;
    }

    /// <summary>One line a kind of node, all layers together.</summary>
    private static void Write(IAnsiConsole console, string step, IReadOnlyList<NodeRow> rows)
    {
        var all = rows.Sum(row => row.Median);
        var table = new Table().Border(TableBorder.Simple).Title(Markup.Escape(step)).AddColumn("node");
        foreach (var heading in (string[])["nodes", "µs", "of the step", "MB", "GB/s", "MFLOP", "GFLOP/s", "of the ceiling"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (var kind in rows.GroupBy(row => row.Work.Kind))
            Add(kind.Key, [.. kind]);
        Add("all", rows);
        console.Write(table);

        void Add(string name, IReadOnlyList<NodeRow> of)
        {
            var (time, bytes, operations) = (of.Sum(row => row.Median), of.Sum(row => row.Work.Bytes), of.Sum(row => row.Work.Operations));
            table.AddRow([.. new[]
            {
                name, Text(of.Count, "F0"), Text(time, "F1"), Text(time / all, "P1"), Text(bytes / 1e6, "F2"), Text(bytes / time / 1e3, "F1"),
                Text(operations / 1e6, "F1"), Text(operations / time / 1e3, "F1"), Text(of.Sum(row => row.Floor) / time, "P0"),
            }.Select(Markup.Escape)]);
        }
    }

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>One node of one step.</summary>
    private sealed record NodeRow(string Step, NodeWork Work, double[] Samples, double Floor)
    {
        // Clocks tick in nanoseconds: what takes less took one.
        public double Median { get; } = Math.Max(0.001, Samples.Order().ElementAt(Samples.Length / 2));

        public ProfileRow Figures(string device) => new(Work.Name, Work.Kind, Step, device, new SortedDictionary<string, double>
        {
            ["bytes"] = Work.Bytes,
            ["operations"] = Work.Operations,
            ["roofline_fraction"] = Math.Round(Floor / Median, 4),
            ["time_us"] = Math.Round(Median, 3),
        }, new Dictionary<string, double[]> { ["time_us"] = [.. Samples.Select(sample => Math.Round(sample, 3))] });
    }
}

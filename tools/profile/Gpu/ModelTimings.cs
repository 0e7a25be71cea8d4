using System.Diagnostics;
using Weft.Backends;
using Weft.Backends.Cuda;
using Weft.Graph;
using Weft.Interop;
using Weft.KvCache;
using Weft.Models;
using Weft.Profile.Documents;
using Weft.Profile.Model;
using Weft.Sampling;
using Weft.Scheduling;
using Weft.Profile.Workloads;
using Weft.Tensors;

namespace Weft.Profile.Gpu;

/// <summary>
/// Whole models of random weights, in bf16 and in codes of 4 bits: prefill of one prompt, then greedy decoding of a batch, as a server runs them, and prefill where
/// bits may depend on the batch.
/// </summary>
internal sealed class ModelTimings(Ceilings ceilings, TraceFile trace, bool isTrial)
{
    private const DataType Type = DataType.BFloat16;
    private const int Repeats = 5;
    private const string DecodeStep = "decode";

    private readonly List<ModelRow> rows = [];
    private readonly List<string> choices = [];

    /// <summary>What loading the models measured (<see cref="StepProgram.MeasuredChoices"/>), a line each.</summary>
    public IReadOnlyList<string> Choices => choices;

    private int Prompt => isTrial ? 40 : 1024;

    private int StepsEach => isTrial ? 2 : 32;

    // One repeat more than is measured: its steps compile, choose algorithms and capture.
    private int Positions => Prompt + ((Repeats + 1) * StepsEach) + 2;

    /// <summary>Times every model at every batch size that fits the device.</summary>
    public IReadOnlyList<ModelRow> Measure(IEnumerable<ModelShape> models, Action<string> note, CancellationToken cancellationToken)
    {
        foreach (var model in models)
        {
            foreach (var isQuantized in (bool[])[false, true])
            {
                var name = isQuantized ? model.Name + " int4" : model.Name;
                foreach (var batch in isTrial ? [1, 3] : (int[])[1, 16, 64])
                    Try($"{name}, batch {batch}", () => Measure(model, name, batch, isQuantized, batchInvariant: true));
                Try($"{name}, where the batch may matter", () => Measure(model, name, 1, isQuantized, batchInvariant: false));
            }
        }

        return rows;

        void Try(string what, Action measure)
        {
            cancellationToken.ThrowIfCancellationRequested();
            note(what);
            try
            {
                measure();
            }
            catch (WeftException failure)
            {
                note($"skipped: {failure.Message}");
            }
        }
    }

    private void Measure(ModelShape shape, string name, int batch, bool isQuantized, bool batchInvariant)
    {
        var model = shape.Describe();
        var blocks = batch * BlockPool.BlocksFor(Positions);
        var pool = new BlockPool(blocks);
        var input = new StepBatch(isTrial ? 64 : 2048, batch, BlockPool.BlocksFor(Positions), Math.Max(batch, 16));
        var weights = new RandomWeights(name, model, isQuantized);
        using var program = CudaBackend.Compile(
            CudaLibraries.Selected, Fusion.Fuse(GraphBuilder.Build(model)), weights, input, new CudaOptions(0, Type, null, blocks, Positions, batchInvariant, StateSlots: 0));
        choices.AddRange(program.MeasuredChoices.Select(choice => $"{shape.Name}: {choice}"));
        var run = new Run(program, pool, batch, model.VocabularySize, Positions);
        if (batch == 1)
        {
            var all = Enumerable.Range(0, Repeats + 1).Select(_ => run.Prefill(0, Prompt, keep: false)).Skip(1).ToList();
            Add(shape, weights, batchInvariant ? "prefill" : "prefill, batch may matter", 1, Prompt, all, Trace("prefill", run.TimePrefill(Prompt), new(1, Prompt, 0, 1, 2, 2)));
        }

        if (!batchInvariant)
            return;
        for (var sequence = 0; sequence < batch; sequence++)
            run.Prefill(sequence, Prompt, keep: true);
        var times = Enumerable.Range(0, Repeats + 1).Select(_ => run.Decode(StepsEach)).Skip(1).ToList();
        Add(shape, weights, DecodeStep, batch, Prompt, times, Trace(DecodeStep, run.TimeDecode(), new(batch, 1, Positions - 1, batch, 2, 2)));

        // Returns how many launches the step has.
        int Trace(string what, IReadOnlyList<NodeTime> nodes, StepSize size)
        {
            trace.Add($"{name} {what}{(batchInvariant ? "" : ", batch may matter")}, batch {batch}", nodes.Select(time => (
                time, time.Node is null ? NodeWork.Drawing(size.LogitRows, shape.Vocabulary) : NodeWork.Of(time.Node, weights.Find, size))));
            return nodes.Sum(node => node.Launches);
        }
    }

    private void Add(ModelShape shape, RandomWeights weights, string what, int batch, int context, IEnumerable<StepTime> times, int launches)
    {
        var sorted = times.OrderBy(time => time.Step).ToList();
        var median = sorted[sorted.Count / 2];
        var isPrefill = what != DecodeStep;
        var tokens = isPrefill ? context : batch;
        var positions = isPrefill ? context / 2 : context + (Positions - Prompt) / 2;
        var matrices = TensorSchema.Of(weights.Model).Where(tensor => !tensor.IsVector && (tensor.Name != TensorSchema.Embedding || shape.Tied))
            .Select(tensor => weights.Find(tensor.Name)).ToList();
        var elements = matrices.Sum(tensor => (double)tensor.Shape[0] * tensor.Shape[1]);
        // The head sees one row of a prompt.
        var head = (double)shape.Vocabulary * shape.Hidden;
        var attention = 4.0 * shape.Layers * tokens * positions * shape.QueryHeads * shape.HeadSize;
        var operations = (2 * tokens * (elements - (isPrefill ? head : 0))) + attention;
        var cache = 4.0 * shape.Layers * shape.KeyHeads * shape.HeadSize * (isPrefill ? tokens : (double)batch * positions);
        var bytes = matrices.Sum(tensor => (double)tensor.Length) + cache;
        rows.Add(new(
            weights.Name, what, batch, context, tokens / median.Step * 1e6, median.Step, sorted[0].Step, sorted[^1].Step, [.. sorted.Select(time => time.Step)], median.Host,
            launches, launches * ceilings.LaunchMicroseconds / median.Step, bytes, operations, ceilings.Floor(bytes, operations)));
    }

    /// <summary>Microseconds.</summary>
    /// <param name="Step">From a step to the next.</param>
    /// <param name="Host">Of which the host takes this much to submit it.</param>
    private readonly record struct StepTime(double Step, double Host);

    private sealed class Run
    {
        private readonly StepProgram program;
        private readonly int vocabulary;
        private readonly BlockTable[] tables;
        private readonly Sampler[] samplers;
        private readonly Random random = new(5);

        public Run(StepProgram program, BlockPool pool, int batch, int vocabulary, int positions)
        {
            (this.program, this.vocabulary) = (program, vocabulary);
            tables = [.. Enumerable.Range(0, batch).Select(_ => new BlockTable(pool, positions))];
            samplers = [.. Enumerable.Range(0, batch).Select(_ => new Sampler(new(), vocabulary))];
        }

        public StepTime Prefill(int sequence, int tokens, bool keep)
        {
            var prompt = Enumerable.Range(0, tokens).Select(_ => random.Next(vocabulary)).ToArray();
            var start = Stopwatch.GetTimestamp();
            Extend(sequence, tokens);
            program.Batch.Clear();
            program.Batch.Add(prompt, 0, tables[sequence], LogitRows.Last, drawn: 0, samplers[sequence]);
            var step = program.Submit();
            var host = Stopwatch.GetElapsedTime(start);
            program.Receive(step);
            var all = Stopwatch.GetElapsedTime(start);
            if (!keep)
                tables[sequence].Truncate(0);
            return new(all.TotalMicroseconds, host.TotalMicroseconds);
        }

        /// <summary>A prefill node by node.</summary>
        public IReadOnlyList<NodeTime> TimePrefill(int tokens)
        {
            Extend(0, tokens);
            program.Batch.Clear();
            program.Batch.Add([.. Enumerable.Range(0, tokens).Select(_ => random.Next(vocabulary))], 0, tables[0], LogitRows.Last, drawn: 0, samplers[0]);
            var times = program.SubmitTimed();
            program.Receive(program.LastStep);
            tables[0].Truncate(0);
            return times;
        }

        /// <summary>A decode step of every sequence node by node.</summary>
        public IReadOnlyList<NodeTime> TimeDecode()
        {
            program.Batch.Clear();
            for (var sequence = 0; sequence < tables.Length; sequence++)
            {
                var position = tables[sequence].Length;
                Extend(sequence, position + 1);
                program.Batch.Add([1], position, tables[sequence], LogitRows.Last, drawn: 1, samplers[sequence]);
            }

            var times = program.SubmitTimed();
            program.Receive(program.LastStep);
            return times;
        }

        /// <summary>The mean of some steps of every sequence, each submitted before the one before it is received.</summary>
        public StepTime Decode(int steps)
        {
            var host = 0L;
            var start = Stopwatch.GetTimestamp();
            long? before = null;
            for (var step = 0; step < steps; step++)
            {
                var submitting = Stopwatch.GetTimestamp();
                program.Batch.Clear();
                for (var sequence = 0; sequence < tables.Length; sequence++)
                {
                    var position = tables[sequence].Length;
                    Extend(sequence, position + 1);
                    program.Batch.Add([before is null ? 1 : StepBatch.DrawnBy(sequence)], position, tables[sequence], LogitRows.Last, drawn: 1, samplers[sequence]);
                }

                var submitted = program.Submit();
                host += Stopwatch.GetTimestamp() - submitting;
                if (before is { } last)
                    program.Receive(last);
                before = submitted;
            }

            program.Receive(before!.Value);
            var all = Stopwatch.GetElapsedTime(start);
            return new(all.TotalMicroseconds / steps, Stopwatch.GetElapsedTime(0, host).TotalMicroseconds / steps);
        }

        private void Extend(int sequence, int tokens)
        {
            if (!tables[sequence].TryExtend(tokens, out _))
                throw new InvalidOperationException("The cache was made too small.");
        }
    }
}

using Weft.Kernels.Tests.Support;
using Weft.KvCache;
using Weft.Reference;
using Weft.Sampling;
using Weft.Scheduling;
using Weft.Tensors;

namespace Weft.Kernels.Tests.Backend;

/// <summary>Steps of several sequences on the CUDA backend: ragged prompts, decoding together, and both at once.</summary>
[TestFixture]
public sealed class CudaBatchTests
{
    private const int Steps = 4;
    private const double Tolerance = 3e-3; // what the product promises of f16

    // Below, at and above the sizes at which products change hands and captured steps are padded.
    [Test]
    public void Sequences_of_a_batch_match_the_definition([Values(1, 2, 3, 8, 9, 16, 17, 33)] int sequences)
    {
        _ = TestDevice.Open((ulong)sequences);
        using var tiny = TinyModel.Create(
            TinyModel.Describe(layers: 2, hidden: 128, heads: 4, keyValueHeads: 2, headSize: 64, vocabulary: 160), DataType.Float16);
        using var model = Load(tiny, sequences);
        var random = new Random(sequences);
        var prompts = Enumerable.Range(0, sequences).Select(i => Tokens(random, 1 + (i * 7 % 24))).ToArray();
        using var batch = new Batch(model, prompts);
        var logits = batch.Step(prompts, null);
        for (var step = 0; step < Steps; step++)
        {
            Compare(tiny, batch, logits, $"step {step}");
            logits = batch.Step(Array.ConvertAll(prompts, _ => Tokens(random, 1)), null);
        }

        // A long piece for one of them beside single tokens of the others.
        logits = batch.Step([Tokens(random, 37), .. prompts[1..].Select(_ => Tokens(random, 1))], null);
        Compare(tiny, batch, logits, "mixed step");
    }

    [Test]
    public void Tokens_drawn_by_steps_ahead_are_those_drawn_one_by_one([Values(2, 5, 17)] int sequences)
    {
        _ = TestDevice.Open((ulong)sequences);
        using var tiny = TinyModel.Create(
            TinyModel.Describe(layers: 2, hidden: 128, heads: 4, keyValueHeads: 2, headSize: 64, vocabulary: 160), DataType.BFloat16);
        using var model = Load(tiny, sequences);
        var random = new Random(sequences);
        var prompts = Enumerable.Range(0, sequences).Select(i => Tokens(random, 1 + i)).ToArray();

        // Greedy ones, sampled ones, and some whose tokens are counted, side by side.
        Sampler?[] Samplers() =>
        [
            .. prompts.Select((prompt, i) =>
            {
                var sampler = new Sampler(new() { Temperature = i % 3, TopK = 20, FrequencyPenalty = i % 2, Seed = (ulong)i }, 160);
                sampler.Observe(prompt);
                return sampler;
            }),
        ];

        var onHost = Samplers();
        var expected = new List<int[]>();
        using (var batch = new Batch(model, prompts))
        {
            var next = prompts;
            for (var step = 0; step <= Steps; step++)
            {
                var logits = batch.Step(next, null);
                expected.Add([.. onHost.Select((sampler, i) => sampler!.Sample(logits[i]))]);
                next = Array.ConvertAll(expected[^1], token => new[] { token });
            }
        }

        var onDevice = Samplers();
        using var ahead = new Batch(model, prompts);
        var submitted = ahead.Submit(prompts, onDevice);
        for (var step = 0; step <= Steps; step++)
        {
            var following = ahead.Submit([.. prompts.Select((_, i) => new[] { StepBatch.DrawnBy(i) })], onDevice);
            Assert.That(model.Program.Receive(submitted).ToArray(), Is.EqualTo(expected[step]), $"step {step}");
            submitted = following;
        }

        foreach (var sampler in onDevice)
            model.Program.Forget(sampler!);
    }

    private static void Compare(TinyModel tiny, Batch batch, float[][] logits, string what)
    {
        for (var i = 0; i < logits.Length; i++)
        {
            var all = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits([.. batch.History[i]]);
            Assert.That(ErrorMeasure.RelativeRms(logits[i], all.AsSpan(all.Length - logits[i].Length)), Is.LessThan(Tolerance), $"{what}, sequence {i}");
        }
    }

    private static Model Load(TinyModel tiny, int sequences) => Model.Load(tiny.Path, new ModelOptions
    {
        Device = new DeviceChoice(TestDevice.IsSimulator ? DeviceKind.Simulator : DeviceKind.Cuda),
        MaxSequences = sequences,
        CacheTokens = sequences * 96,
    });

    private static int[] Tokens(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(160))];

    /// <summary>Sequences that take every step together.</summary>
    private sealed class Batch(Model model, int[][] prompts) : IDisposable
    {
        private readonly BlockTable[] tables = Array.ConvertAll(prompts, _ => new BlockTable(model.Blocks, 96));

        /// <summary>Tokens of each so far.</summary>
        public List<int>[] History { get; } = Array.ConvertAll(prompts, _ => new List<int>());

        public long Submit(int[][] tokens, Sampler?[]? samplers)
        {
            model.Program.Batch.Clear();
            for (var i = 0; i < tokens.Length; i++)
            {
                var first = tables[i].Length;
                Assert.That(tables[i].TryExtend(first + tokens[i].Length, out var copy) && copy is null);
                model.Program.Batch.Add(tokens[i], first, tables[i], LogitRows.Last, tokens[i].Length == 1 ? 1 : 0, samplers?[i]);
                History[i].AddRange(tokens[i]);
            }

            return model.Program.Submit();
        }

        /// <summary>The last row of logits of each.</summary>
        public float[][] Step(int[][] tokens, Sampler?[]? samplers)
        {
            var rows = model.Program.Receive(Submit(tokens, samplers)).Length;
            return [.. Enumerable.Range(0, rows).Select(row => model.Program.Logits(row).ToArray())];
        }

        public void Dispose()
        {
            foreach (var table in tables)
                table.Dispose();
        }
    }
}

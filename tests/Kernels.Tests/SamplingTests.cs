using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Sampling;

namespace Weft.Kernels.Tests;

/// <summary>kernels/sampling.cu draws what the sampler on the host draws from the same logits.</summary>
[TestFixture]
public sealed class SamplingTests
{
    private static readonly int[] Vocabularies = [1, 15, 16, 17, 111, 1003, 32000];

    private static readonly Dictionary<string, SamplingOptions> Settings = new()
    {
        ["greedy"] = new(),
        ["temperature"] = new() { Temperature = 1 },
        ["hot"] = new() { Temperature = 3.5f },
        ["top-k"] = new() { Temperature = 0.8f, TopK = 5 },
        ["top-k of one"] = new() { Temperature = 1, TopK = 1 },
        ["top-p"] = new() { Temperature = 1, TopP = 0.7f },
        ["narrow top-p"] = new() { Temperature = 1, TopP = 0.01f },
        ["min-p"] = new() { Temperature = 1.5f, MinP = 0.1f },
        ["all"] = new() { Temperature = 1.2f, TopK = 40, TopP = 0.9f, MinP = 0.05f },
        ["penalties"] = new() { Temperature = 0.9f, RepetitionPenalty = 1.3f, PresencePenalty = 0.5f, FrequencyPenalty = 0.25f },
        ["greedy with penalties"] = new() { RepetitionPenalty = 1.7f, FrequencyPenalty = 1 },
    };

    private static IEnumerable<string> SettingNames => Settings.Keys;

    [Test]
    public void The_device_draws_what_the_host_draws(
        [ValueSource(nameof(SettingNames))] string name, [ValueSource(nameof(Vocabularies))] int vocabulary, [Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        var random = new Random((vocabulary * 10) + seed);
        const int Rows = 5;
        const int Steps = 4;
        var options = Enumerable.Range(0, Rows).Select(row => Settings[name] with { Seed = (ulong)random.NextInt64() }).ToArray();
        var samplers = Array.ConvertAll(options, o => new Sampler(o, vocabulary));
        var prompt = Enumerable.Range(0, Math.Min(20, vocabulary)).Select(_ => random.Next(vocabulary)).ToArray();
        foreach (var sampler in samplers)
            sampler.Observe(prompt);
        using var state = new State(device, options, vocabulary, prompt);
        for (var step = 0; step < Steps; step++)
        {
            var rows = Enumerable.Range(0, Rows).Select(_ => Logits(random, vocabulary)).ToArray();
            var expected = rows.Select((row, i) => samplers[i].Sample((float[])row.Clone())).ToArray();
            Assert.That(state.Sample(rows, SamplingKernel.Draw), Is.EqualTo(expected), $"step {step}");
        }
    }

    [Test]
    public void Rows_of_one_launch_have_their_own_options([Values(1003, 151936)] int vocabulary)
    {
        var device = TestDevice.Open();
        var random = new Random(vocabulary);
        var options = Settings.Values.Select(o => o with { Seed = (ulong)random.NextInt64() }).ToArray();
        var samplers = Array.ConvertAll(options, o => new Sampler(o, vocabulary));
        using var state = new State(device, options, vocabulary, []);
        var rows = Array.ConvertAll(options, _ => Logits(random, vocabulary));
        var expected = rows.Select((row, i) => samplers[i].Sample((float[])row.Clone())).ToArray();
        Assert.That(state.Sample(rows, SamplingKernel.Draw), Is.EqualTo(expected));
    }

    [Test]
    public void Equal_logits_are_taken_by_rising_id([Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        var options = new[] { new SamplingOptions(), new() { Temperature = 1, TopK = 3, Seed = 5 }, new() { Temperature = 1, TopP = 0.002f, Seed = 6 } };
        var samplers = Array.ConvertAll(options, o => new Sampler(o, 2000));
        using var state = new State(device, options, 2000, []);
        for (var step = 0; step < 6; step++)
        {
            var rows = Array.ConvertAll(options, _ => Enumerable.Range(0, 2000).Select(i => i % 7 == 3 ? 2f : -1f).ToArray());
            var expected = rows.Select((row, i) => samplers[i].Sample((float[])row.Clone())).ToArray();
            Assert.That(state.Sample(rows, SamplingKernel.Draw), Is.EqualTo(expected), $"step {step}");
        }
    }

    [Test]
    public void Forbidden_and_broken_rows_are_told_apart()
    {
        var device = TestDevice.Open();
        var options = Enumerable.Repeat(new SamplingOptions { Temperature = 1, Seed = 1 }, 4).ToArray();
        using var state = new State(device, options, 600, []);
        var one = Enumerable.Repeat(float.NegativeInfinity, 600).ToArray();
        one[417] = -3;
        var nan = new float[600];
        nan[599] = float.NaN;
        var infinite = new float[600];
        infinite[0] = float.PositiveInfinity;
        float[][] rows = [one, nan, infinite, [.. Enumerable.Repeat(float.NegativeInfinity, 600)]];
        Assert.That(state.Sample(rows, SamplingKernel.Draw), Is.EqualTo(new[] { 417, Undrawable.NotANumber, Undrawable.Infinite, Undrawable.Forbidden }));
    }

    [Test]
    public void The_greedy_instance_takes_the_largest([ValueSource(nameof(Vocabularies))] int vocabulary)
    {
        var device = TestDevice.Open();
        var random = new Random(vocabulary);
        var options = Enumerable.Repeat(new SamplingOptions(), 3).ToArray();
        using var state = new State(device, options, vocabulary, []);
        var rows = Array.ConvertAll(options, _ => Logits(random, vocabulary));
        Assert.That(state.Sample(rows, SamplingKernel.Greedy), Is.EqualTo(rows.Select(row => Array.IndexOf(row, row.Max()))));
    }

    private static float[] Logits(Random random, int vocabulary) => Values.Random(random, vocabulary, 2);

    /// <summary>Options and counts of some rows on the device.</summary>
    private sealed class State : IDisposable
    {
        private readonly TestDevice device;
        private readonly int vocabulary;
        private readonly Sampler[] samplers;
        private readonly DeviceArray<ushort> seen;

        public State(TestDevice device, SamplingOptions[] options, int vocabulary, int[] prompt)
        {
            (this.device, this.vocabulary) = (device, vocabulary);
            samplers = Array.ConvertAll(options, o => new Sampler(o, vocabulary));
            var counts = new ushort[options.Length * vocabulary];
            for (var row = 0; row < options.Length; row++)
            {
                foreach (var token in prompt)
                    counts[(row * vocabulary) + token] = SamplingKernel.Seen;
            }

            seen = device.Upload(counts);
        }

        public int[] Sample(float[][] rows, KernelInstance instance)
        {
            var stride = ((vocabulary + 7) / 8 * 8) + 8;
            using var logits = device.Upload(Values.Strided([.. rows.SelectMany(row => row)], vocabulary, stride, float.NaN));
            using var options = device.Upload(samplers.Select((sampler, row) => DeviceSamplingOptions.Create(sampler, sampler.Step++, row)).ToArray());
            using var tokens = device.Poisoned<int>(rows.Length);
            device.Run(instance, SamplingKernel.Shape(rows.Length), new SamplingParams
            {
                Logits = logits.Address,
                Options = options.Address,
                Seen = seen.Address,
                Tokens = tokens.Address,
                Vocabulary = vocabulary,
                Stride = stride,
            });
            return tokens.Download();
        }

        public void Dispose() => seen.Dispose();
    }
}

using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>kernels/rotary_cache_write.cu against the plain definition.</summary>
[TestFixture]
public sealed class RotaryCacheWriteTests
{
    private const int QueryHeads = 6;
    private const int KeyHeads = 2;
    private const int DefaultTokens = 17;
    private const int BlockSize = 16;
    private const float Epsilon = 1e-5f;

    [Test]
    public void Queries_and_keys_turn_and_the_cache_is_written(
        [Values(DataType.Float16, DataType.BFloat16)] DataType type,
        [ValueSource(typeof(HeadSizes), nameof(HeadSizes.All))] int headSize,
        [Values] bool isNormed,
        [Values] bool isCentered)
    {
        Check(TestDevice.Open((ulong)headSize), type, headSize, headSize, Form(isNormed, isCentered));
    }

    /// <summary>What is normed, turned and read does not go beyond the head's own elements; behind them are zeros.</summary>
    [Test]
    public void Heads_between_two_sizes_have_zeros_behind_them(
        [Values(2, 8, 24, 40, 72, 100, 144, 254)] int headSize, [Values] bool isNormed, [Values] bool isCentered, [Values] bool turnsWhole) =>
        Check(
            TestDevice.Open((ulong)headSize), isCentered ? DataType.Float16 : DataType.BFloat16, headSize, turnsWhole ? headSize : headSize / 8 * 2, Form(isNormed, isCentered),
            normLast: !turnsWhole);

    [Test]
    public void Part_of_a_head_turns([Values(0, 16, 32)] int rotary, [Values(1, 2, 3)] int seed) =>
        Check(TestDevice.Open((ulong)seed), DataType.Float16, 80, rotary, HeadNorm.None);

    [Test]
    public void Half_of_the_pairs_turn_by_another_position(
        [Values(DataType.Float16, DataType.BFloat16)] DataType type, [Values(32, 80, 128, 256)] int headSize, [Values(1, 2, 3)] int seed) =>
        Check(TestDevice.Open((ulong)seed), type, headSize, seed == 3 ? 24 : headSize, HeadNorm.None, hasSpans: true);

    [Test]
    public void Keys_may_have_angles_of_their_own([Values(DataType.Float16, DataType.BFloat16)] DataType type, [Values(32, 80, 128)] int headSize, [Values(1, 2, 3)] int seed) =>
        Check(TestDevice.Open((ulong)seed), type, headSize, seed == 3 ? 24 : headSize, HeadNorm.None, keyFactor: 3);

    [Test]
    public void Norms_may_lack_weights_and_biases([Values] bool isCentered) =>
        Check(TestDevice.Open(), DataType.Float16, 80, 32, Form(true, isCentered), isBare: true);

    [Test]
    public void Everything_is_clamped_first([Values] bool isNormed, [Values] bool isCentered) =>
        Check(TestDevice.Open(), DataType.Float16, 64, 64, Form(isNormed, isCentered), clip: 0.8f);

    [Test]
    public void Heads_may_be_normed_after_they_turn([Values(32, 80, 128, 256)] int headSize, [Values] bool isCentered, [Values(0, 24)] int fixedPart) =>
        Check(TestDevice.Open(), DataType.BFloat16, headSize, headSize - fixedPart, Form(true, isCentered), keyFactor: 1.5, normLast: true);

    [Test]
    public void What_f16_cannot_hold_becomes_its_largest_value() =>
        Check(TestDevice.Open(), DataType.Float16, 64, 32, HeadNorm.None, magnitude: 100_000);

    /// <summary>One warp a head of a token: the last block is full or not.</summary>
    [Test]
    public void Any_number_of_tokens_is_written([Values(1, 15, 16, 17, 111, 1003)] int tokens) =>
        Check(TestDevice.Open((ulong)tokens), DataType.BFloat16, 32, 32, HeadNorm.Rms, tokens: tokens);

    private static HeadNorm Form(bool isNormed, bool isCentered) => !isNormed ? HeadNorm.None : isCentered ? HeadNorm.Layer : HeadNorm.Rms;

    private static void Check(
        TestDevice device, DataType type, int headSize, int rotary, HeadNorm norm, bool isBare = false, float clip = float.PositiveInfinity, int tokens = DefaultTokens,
        bool hasSpans = false, double keyFactor = 1, bool normLast = false, float magnitude = 1)
    {
        var row = HeadSizes.Row(headSize);
        var blocks = (tokens / BlockSize) + 2;
        var random = new Random(headSize);
        var heads = QueryHeads + (2 * KeyHeads);
        var (width, stride, qStride) = (heads * headSize, (heads * headSize) + 8, (QueryHeads * row) + 16);
        var qkv = Array.ConvertAll(Values.Random(random, tokens * width), value => value * magnitude);
        var normed = QueryHeads + KeyHeads;
        var (weights, biases) = (Values.Random(random, normed * headSize), Values.Random(random, normed * headSize));
        var positions = Enumerable.Range(0, tokens).Select(_ => random.Next(200)).ToArray();
        var spans = hasSpans ? Enumerable.Range(0, tokens).Select(_ => random.Next(200)).ToArray() : positions;
        // Token 3 is not written.
        var slots = Enumerable.Range(0, blocks * BlockSize).ToArray();
        random.Shuffle(slots);
        slots = [.. slots[..tokens].Select((slot, token) => token == 3 ? -1 : slot)];
        // Angles of queries, and those of keys where they have their own.
        double[] factors = keyFactor == 1 ? [1] : [1, keyFactor];
        var table = Enumerable.Range(0, 200).SelectMany(position => factors.SelectMany(factor => Enumerable.Range(0, rotary / 2).SelectMany(i => (float[])
            [(float)(factor * Math.Cos(position * Frequency(i, rotary, hasSpans))), (float)(factor * Math.Sin(position * Frequency(i, rotary, hasSpans)))]))).ToArray();

        using var px = device.Upload(Values.Strided(qkv, width, stride, float.NaN));
        using var pt = device.Upload(table);
        using var pp = device.Upload(positions);
        using var ps = device.Upload(slots);
        using var pr = device.Upload(spans);
        using var pw = device.Upload(weights);
        using var pb = device.Upload(biases);
        var keyNorm = (nuint)(QueryHeads * headSize * sizeof(float));
        using var q = device.Poisoned<ushort>(tokens * qStride);
        using var keys = device.Poisoned<ushort>(blocks * KeyHeads * BlockSize * row);
        using var values = device.Poisoned<ushort>(keys.Length);
        device.Run(
            RotaryCacheWriteKernel.Instance(type, headSize),
            RotaryCacheWriteKernel.Shape(tokens, QueryHeads, KeyHeads),
            new RotaryCacheWriteParams
            {
                Qkv = px.Address,
                Q = q.Address,
                Table = pt.Address,
                Positions = pp.Address,
                Spans = hasSpans ? pr.Address : 0,
                Slots = ps.Address,
                Keys = keys.Address,
                Values = values.Address,
                QueryNorm = isBare ? 0 : pw.Address,
                KeyNorm = isBare ? 0 : pw.Address + keyNorm,
                QueryNormBias = isBare ? 0 : pb.Address,
                KeyNormBias = isBare ? 0 : pb.Address + keyNorm,
                Tokens = tokens,
                Stride = stride,
                QStride = qStride,
                QueryHeads = QueryHeads,
                KeyHeads = KeyHeads,
                Rotary = rotary,
                HeadNorm = norm,
                Epsilon = Epsilon,
                Clip = float.IsInfinity(clip) ? 0 : clip,
                KeyTurns = keyFactor == 1 ? 0 : rotary / 2,
                NormLast = normLast ? 1 : 0,
            });

        var (storedQ, storedK, storedV) = (q.Download(), keys.Download(), values.Download());
        Assert.That(Values.Between(storedQ, QueryHeads * row, qStride), Has.All.EqualTo(ushort.MaxValue));
        for (var token = 0; token < tokens; token++)
        {
            for (var head = 0; head < heads; head++)
            {
                var x = qkv.Skip((token * width) + (head * headSize)).Take(headSize).Select(v => (double)Math.Clamp(v, -clip, clip)).ToArray();
                var isQuery = head < QueryHeads;
                double[] Normed(double[] y) => Norm(y, norm, isBare ? [] : weights.AsSpan(head * headSize, headSize), isBare ? [] : biases.AsSpan(head * headSize, headSize));
                double[] Turned(double[] y) => Turn(y, positions[token], spans[token], rotary, hasSpans, isQuery ? 1 : keyFactor);
                if (head < normed)
                    x = normLast ? Normed(Turned(x)) : Turned(Normed(x));
                if (!isQuery && slots[token] < 0)
                    continue;
                if (type == DataType.Float16)
                    x = Array.ConvertAll(x, value => Math.Clamp(value, (double)Half.MinValue, (double)Half.MaxValue));
                var group = (head - QueryHeads) % KeyHeads;
                var stored = isQuery ? storedQ : head < QueryHeads + KeyHeads ? storedK : storedV;
                var start = isQuery
                    ? (token * qStride) + (head * row)
                    : ((((slots[token] / BlockSize * KeyHeads) + group) * BlockSize) + (slots[token] % BlockSize)) * row;
                var actual = Values.Decode(stored[start..(start + headSize)], type);
                Assert.That(ErrorMeasure.RelativeRms(actual, x), Is.LessThan(Values.Rounding(type) + 1e-6), $"token {token}, head {head}");
                Assert.That(stored[(start + headSize)..(start + row)], Has.All.Zero, $"token {token}, head {head}");
                Array.Fill(stored, ushort.MaxValue, start, row);
            }
        }

        Assert.That(storedK, Has.All.EqualTo(ushort.MaxValue), "nothing else of the cache is written");
        Assert.That(storedV, Has.All.EqualTo(ushort.MaxValue), "nothing else of the cache is written");
    }

    private static double[] Norm(double[] x, HeadNorm norm, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias) => norm == HeadNorm.None ? x : ReferenceNorm.Apply(
        new() { Kind = norm == HeadNorm.Rms ? NormKind.Rms : NormKind.Layer, Epsilon = Epsilon }, x, Doubles(weight), Doubles(bias), x.Length);

    private static double[] Doubles(ReadOnlySpan<float> values) => Array.ConvertAll(values.ToArray(), value => (double)value);

    private static double Frequency(int i, int rotary, bool hasSpans) => hasSpans ? Math.Pow(10000, -4.0 * (i % (rotary / 4)) / rotary) : Math.Pow(10000, -2.0 * i / rotary);

    private static double[] Turn(double[] x, int position, int span, int rotary, bool hasSpans, double factor)
    {
        var y = (double[])x.Clone();
        for (var i = 0; i < rotary / 2; i++)
        {
            var (first, second) = (i, i + (rotary / 2));
            var (sin, cos) = Math.SinCos((i < rotary / 4 ? position : span) * Frequency(i, rotary, hasSpans));
            y[first] = factor * ((x[first] * cos) - (x[second] * sin));
            y[second] = factor * ((x[second] * cos) + (x[first] * sin));
        }

        return y;
    }
}

using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
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
        [Values(32, 64, 80, 96, 112, 128, 192, 256)] int headSize,
        [Values] bool interleaved,
        [Values] bool normed)
    {
        Check(TestDevice.Open((ulong)headSize), type, headSize, headSize, interleaved ? RotaryPairs.Interleaved : RotaryPairs.HalfSplit, normed);
    }

    [Test]
    public void Part_of_a_head_turns([Values(0, 16, 32)] int rotary, [Values] bool interleaved, [Values(1, 2, 3)] int seed) =>
        Check(TestDevice.Open((ulong)seed), DataType.Float16, 80, rotary, interleaved ? RotaryPairs.Interleaved : RotaryPairs.HalfSplit, false);

    /// <summary>Gemma stores w − 1.</summary>
    [Test]
    public void Norm_weights_are_stored_less_an_offset([Values(DataType.Float16, DataType.BFloat16)] DataType type, [Values] bool interleaved) =>
        Check(TestDevice.Open(), type, 80, 32, interleaved ? RotaryPairs.Interleaved : RotaryPairs.HalfSplit, true, normOffset: 1);

    /// <summary>One warp a head of a token: the last block is full or not.</summary>
    [Test]
    public void Any_number_of_tokens_is_written([Values(1, 15, 16, 17, 111, 1003)] int tokens) =>
        Check(TestDevice.Open((ulong)tokens), DataType.BFloat16, 32, 32, RotaryPairs.HalfSplit, true, tokens: tokens);

    private static void Check(
        TestDevice device, DataType type, int headSize, int rotary, RotaryPairs pairs, bool normed, float normOffset = 0, int tokens = DefaultTokens)
    {
        var blocks = (tokens / BlockSize) + 2;
        var random = new Random(headSize);
        var heads = QueryHeads + (2 * KeyHeads);
        var (width, stride, qStride) = (heads * headSize, (heads * headSize) + 8, (QueryHeads * headSize) + 16);
        var qkv = Values.Random(random, tokens * width);
        var norms = Values.Random(random, 2 * headSize);
        var positions = Enumerable.Range(0, tokens).Select(_ => random.Next(200)).ToArray();
        // Token 3 is not written.
        var slots = Enumerable.Range(0, blocks * BlockSize).ToArray();
        random.Shuffle(slots);
        slots = [.. slots[..tokens].Select((slot, token) => token == 3 ? -1 : slot)];
        var table = Enumerable.Range(0, 200).SelectMany(position => Enumerable.Range(0, rotary / 2).SelectMany(i => (float[])
            [(float)Math.Cos(position * Frequency(i, rotary)), (float)Math.Sin(position * Frequency(i, rotary))])).ToArray();

        using var px = device.Upload(Values.Strided(qkv, width, stride, float.NaN));
        using var pt = device.Upload(table);
        using var pp = device.Upload(positions);
        using var ps = device.Upload(slots);
        using var pn = device.Upload(norms);
        using var q = device.Poisoned<ushort>(tokens * qStride);
        using var keys = device.Poisoned<ushort>(blocks * KeyHeads * BlockSize * headSize);
        using var values = device.Poisoned<ushort>(keys.Length);
        device.Run(
            RotaryCacheWriteKernel.Instance(type, headSize, pairs),
            RotaryCacheWriteKernel.Shape(tokens, QueryHeads, KeyHeads),
            new RotaryCacheWriteParams
            {
                Qkv = px.Address,
                Q = q.Address,
                Table = pt.Address,
                Positions = pp.Address,
                Slots = ps.Address,
                Keys = keys.Address,
                Values = values.Address,
                QueryNorm = normed ? pn.Address : 0,
                KeyNorm = normed ? pn.Address + (nuint)(headSize * sizeof(float)) : 0,
                Tokens = tokens,
                Stride = stride,
                QStride = qStride,
                QueryHeads = QueryHeads,
                KeyHeads = KeyHeads,
                Rotary = rotary,
                Epsilon = Epsilon,
                NormOffset = normOffset,
            });

        var (storedQ, storedK, storedV) = (q.Download(), keys.Download(), values.Download());
        Assert.That(Values.Between(storedQ, QueryHeads * headSize, qStride), Has.All.EqualTo(ushort.MaxValue));
        for (var token = 0; token < tokens; token++)
        {
            for (var head = 0; head < heads; head++)
            {
                var x = qkv.Skip((token * width) + (head * headSize)).Take(headSize).Select(v => (double)v).ToArray();
                var isQuery = head < QueryHeads;
                if (head < QueryHeads + KeyHeads)
                    x = Turn(normed ? ReferenceNorm.Rms(x, Norm(norms, isQuery, headSize, normOffset), Epsilon) : x, positions[token], rotary, pairs);
                if (!isQuery && slots[token] < 0)
                    continue;
                var group = (head - QueryHeads) % KeyHeads;
                var stored = isQuery ? storedQ : head < QueryHeads + KeyHeads ? storedK : storedV;
                var start = isQuery
                    ? (token * qStride) + (head * headSize)
                    : ((((slots[token] / BlockSize * KeyHeads) + group) * BlockSize) + (slots[token] % BlockSize)) * headSize;
                var actual = Values.Decode(stored[start..(start + headSize)], type);
                Assert.That(ErrorMeasure.RelativeRms(actual, x), Is.LessThan(Values.Rounding(type) + 1e-6), $"token {token}, head {head}");
                Array.Fill(stored, ushort.MaxValue, start, headSize);
            }
        }

        Assert.That(storedK, Has.All.EqualTo(ushort.MaxValue), "nothing else of the cache is written");
        Assert.That(storedV, Has.All.EqualTo(ushort.MaxValue), "nothing else of the cache is written");
    }

    private static double[] Norm(float[] norms, bool isQuery, int headSize, float offset) =>
        Array.ConvertAll(isQuery ? norms[..headSize] : norms[headSize..], v => (double)v + offset);

    private static double Frequency(int i, int rotary) => Math.Pow(10000, -2.0 * i / rotary);

    private static double[] Turn(double[] x, int position, int rotary, RotaryPairs pairs)
    {
        var y = (double[])x.Clone();
        for (var i = 0; i < rotary / 2; i++)
        {
            var (first, second) = pairs == RotaryPairs.Interleaved ? (2 * i, (2 * i) + 1) : (i, i + (rotary / 2));
            var (sin, cos) = Math.SinCos(position * Frequency(i, rotary));
            y[first] = (x[first] * cos) - (x[second] * sin);
            y[second] = (x[second] * cos) + (x[first] * sin);
        }

        return y;
    }
}

using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>kernels/head_linear.cu, latent_write.cu and attention_latent.cu against their plain definitions.</summary>
[TestFixture]
public sealed class LatentKernelTests
{
    private const int BlockSize = 16;

    [Test]
    public void A_product_of_each_head_matches_its_definition(
        [Values(DataType.Float16, DataType.BFloat16)] DataType type, [Values] bool toFloat, [Values(1, 15, 111)] int rows, [Values(8, 40, 128)] int inner, [Values(16, 21, 96)] int outputs)
    {
        const int Heads = 3;
        var device = TestDevice.Open((ulong)(rows + inner));
        var random = new Random(rows + inner + outputs);
        var (width, stride) = (Heads * inner, (Heads * inner) + 8);
        var yStride = (Heads * outputs) + 5;
        var x = Values.Random(random, rows * width);
        var weight = Values.Random(random, Heads * outputs * inner, 0.1f);
        using var px = device.Upload(Values.Strided(Values.Encode(x, type), width, stride, ushort.MaxValue));
        using var pw = device.Upload(Values.Encode(weight, type));
        using var y = device.Poisoned<byte>(rows * yStride * (toFloat ? sizeof(float) : sizeof(ushort)));
        device.Run(HeadLinearKernel.Instance(type, toFloat ? DataType.Float32 : type), HeadLinearKernel.Shape(rows, outputs, Heads), new HeadLinearParams
        {
            X = px.Address,
            Weight = pw.Address,
            Y = y.Address,
            Rows = rows,
            Outputs = outputs,
            Inner = inner,
            XStride = stride,
            YStride = yStride,
        });

        var bytes = y.Download();
        var (exactX, exactW) = (Values.Round(x, type), Values.Round(weight, type));
        double At(int index) => toFloat
            ? BitConverter.ToSingle(bytes, index * sizeof(float))
            : Values.Decode([BitConverter.ToUInt16(bytes, index * sizeof(ushort))], type)[0];
        for (var row = 0; row < rows; row++)
        {
            var expected = Enumerable.Range(0, Heads).SelectMany(head => ReferenceLinear.Apply(
                exactX.AsSpan((row * width) + (head * inner), inner), exactW.AsSpan(head * outputs * inner, outputs * inner), [], inner)).ToArray();
            var actual = Enumerable.Range(0, Heads * outputs).Select(i => At((row * yStride) + i)).ToArray();
            Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(toFloat ? 1e-6 : Values.Rounding(type)), $"row {row}");
            Assert.That(Enumerable.Range(Heads * outputs, yStride - (Heads * outputs)).Select(i => At((row * yStride) + i)), Has.All.NaN);
        }
    }

    [Test]
    public void Queries_and_cache_are_put_together(
        [Values(DataType.Float16, DataType.BFloat16)] DataType type, [Values(8, 78)] int turned, [Values(16, 41)] int rank, [Values] bool perToken, [Values(0, 50)] int logFrom)
    {
        const int Heads = 3;
        const int Tokens = 15;
        var device = TestDevice.Open((ulong)(turned + rank));
        var random = new Random(turned + rank);
        var size = turned + rank;
        var qStride = (Heads * size) + 3;
        float[][] inputs = [.. new[] { Heads * turned, Heads * rank, turned, rank }.Select(width => Values.Random(random, Tokens * width))];
        var positions = Enumerable.Range(0, Tokens).Select(_ => random.Next(100)).ToArray();
        var slots = Enumerable.Range(0, 2 * BlockSize).ToArray();
        random.Shuffle(slots);
        slots = [.. slots[..Tokens]];
        slots[4] = -1;
        var table = Enumerable.Range(0, 100).SelectMany(row => Enumerable.Range(0, turned / 2).SelectMany(i => (float[])[MathF.Cos(row * (i + 1)), MathF.Sin(row * (i + 1))])).ToArray();
        int[] strides = [.. inputs.Select(input => (input.Length / Tokens) + 4)];
        var uploaded = inputs.Select((input, i) => device.Upload(Values.Strided(input, input.Length / Tokens, strides[i], float.NaN))).ToList();
        using var pt = device.Upload(table);
        using var pp = device.Upload(positions);
        using var ps = device.Upload(slots);
        using var q = device.Poisoned<ushort>(Tokens * qStride);
        using var cache = device.Poisoned<ushort>(2 * BlockSize * size);
        device.Run(LatentWriteKernel.Instance(type), LatentWriteKernel.Shape(Tokens, Heads), new LatentWriteParams
        {
            Turned = uploaded[0].Address,
            LatentQueries = uploaded[1].Address,
            Key = uploaded[2].Address,
            Latent = uploaded[3].Address,
            Q = q.Address,
            Cache = cache.Address,
            Table = pt.Address,
            Positions = pp.Address,
            Slots = ps.Address,
            Tokens = Tokens,
            Heads = Heads,
            Rotary = turned,
            Rank = rank,
            TurnedStride = strides[0],
            LatentQueriesStride = strides[1],
            KeyStride = strides[2],
            LatentStride = strides[3],
            QStride = qStride,
            PerToken = perToken ? 1 : 0,
            LogFrom = logFrom,
        });
        uploaded.ForEach(array => array.Dispose());

        var (storedQ, storedCache) = (q.Download(), cache.Download());
        Assert.That(Values.Between(storedQ, Heads * size, qStride), Has.All.EqualTo(ushort.MaxValue));
        for (var token = 0; token < Tokens; token++)
        {
            var row = perToken ? token : positions[token];
            var growth = logFrom > 0 && positions[token] >= logFrom ? Math.Log(positions[token] + 1) / Math.Log(logFrom) : 1;
            for (var head = 0; head < Heads; head++)
            {
                var expected = Join(inputs[0].AsSpan(((token * Heads) + head) * turned, turned), inputs[1].AsSpan(((token * Heads) + head) * rank, rank), row, growth);
                Assert.That(Error(storedQ, (token * qStride) + (head * size), expected), Is.LessThan(Values.Rounding(type)), $"token {token}, head {head}");
            }

            if (slots[token] < 0)
                continue;
            var key = Join(inputs[2].AsSpan(token * turned, turned), inputs[3].AsSpan(token * rank, rank), row, 1);
            Assert.That(Error(storedCache, slots[token] * size, key), Is.LessThan(Values.Rounding(type)), $"token {token}");
            Array.Fill(storedCache, ushort.MaxValue, slots[token] * size, size);
        }

        Assert.That(storedCache, Has.All.EqualTo(ushort.MaxValue), "nothing else of the cache is written");

        double Error(ushort[] stored, int first, double[] expected) => ErrorMeasure.RelativeRms(Values.Decode(stored[first..(first + size)], type), expected);

        double[] Join(ReadOnlySpan<float> x, ReadOnlySpan<float> latent, int row, double growth)
        {
            var result = new double[size];
            for (var i = 0; i < turned / 2; i++)
            {
                var (cos, sin) = (table[((row * (turned / 2)) + i) * 2], table[(((row * (turned / 2)) + i) * 2) + 1]);
                result[i] = ((x[i] * (double)cos) - (x[i + (turned / 2)] * (double)sin)) * growth;
                result[i + (turned / 2)] = ((x[i + (turned / 2)] * (double)cos) + (x[i] * (double)sin)) * growth;
            }

            for (var i = 0; i < rank; i++)
                result[turned + i] = latent[i] * growth;
            return result;
        }
    }

    [TestCase(8, 24, 3)]
    [TestCase(32, 32, 2)]
    [TestCase(64, 512, 16)]
    [TestCase(16, 40, 17)]
    public void Attention_over_latent_vectors_matches_its_definition(int turned, int rank, int heads)
    {
        foreach (var types in AttentionTypes.Usual)
        {
            Check(types, turned, rank, heads, AttentionVariant.Causal);
            if (rank < 100)
                Check(types, turned, rank, heads, AttentionVariant.Causal | AttentionVariant.Window | AttentionVariant.SoftCap | AttentionVariant.Sinks);
        }

        if (turned == 32)
            Check(AttentionTypes.Wide, turned, rank, heads, AttentionVariant.Causal);
    }

    private static void Check(AttentionTypes types, int turned, int rank, int heads, AttentionVariant variant)
    {
        // Contexts of tokens that were drawn; a prompt of 37 more in the last.
        int[] lengths = [1, 15, 33, 111, 64];
        const int Prompt = 37;
        var device = TestDevice.Open((ulong)(turned + heads));
        var size = turned + rank;
        var random = new Random(size + heads);
        using var cache = new PagedCache(device, types.Cache, lengths, 1, size, random);
        var drawn = lengths.Length - 1;
        var rows = drawn + Prompt;
        var (qWidth, yWidth) = (heads * size, heads * rank);
        var (qStride, yStride) = (qWidth + 8, yWidth + 6);
        var q = Values.Random(random, rows * qWidth);
        var scores = ScoreSettings.Random(random, heads, lengths.Length, size, variant);
        using var uploaded = scores.Upload(device);
        using var pq = device.Upload(Values.Strided(Values.Encode(q, types.Cache), qWidth, qStride, ushort.MaxValue));
        using var y = device.Poisoned<ushort>(rows * yStride);
        int[] positions = [.. lengths[..drawn].Select(length => length - 1), .. Enumerable.Range(lengths[drawn] - Prompt, Prompt)];
        using var pp = device.Upload(positions);
        using var places = device.Upload(Enumerable.Range(0, drawn).Reverse().Append(-1).ToArray());
        using var tables = device.Upload(Enumerable.Range(0, drawn).Reverse().Append(0).ToArray());
        using var tiles = device.Upload((AttentionTile[])[new(drawn, drawn), new(drawn, drawn + 20)]);
        using var ends = device.Upload(Enumerable.Range(1, drawn).Append(rows).ToArray());
        foreach (var isPrompt in new[] { false, true })
        {
            device.Run(
                AttentionLatentKernel.Instance(types, turned, rank, variant),
                AttentionLatentKernel.Shape(isPrompt ? 2 : drawn + 1, isPrompt ? 20 : 1, heads, size),
                new AttentionLatentParams
                {
                    Q = pq.Address,
                    Cache = cache.Keys.Address,
                    Y = y.Address,
                    Tiles = isPrompt ? tiles.Address : 0,
                    PromptEnds = ends.Address,
                    Rows = places.Address,
                    Tables = tables.Address,
                    Positions = pp.Address,
                    BlockTables = cache.Table.Address,
                    Score = uploaded.Parameters,
                    Heads = heads,
                    QStride = qStride,
                    YStride = yStride,
                    MaxBlocks = cache.MaxBlocks,
                });
        }

        var stored = y.Download();
        Assert.That(Values.Between(stored, yWidth, yStride), Has.All.EqualTo(ushort.MaxValue));
        for (var row = 0; row < rows; row++)
        {
            var sequence = Math.Min(row, drawn);
            var query = Values.Round(q[(row * qWidth)..((row + 1) * qWidth)], types.Cache);
            var whole = scores.Attend(query, cache.KeysOf[sequence], cache.KeysOf[sequence], [positions[row]], sequence, 1);
            var expected = Enumerable.Range(0, heads).SelectMany(head => whole.Skip((head * size) + turned).Take(rank)).ToArray();
            var actual = Values.Decode(stored[(row * yStride)..((row * yStride) + yWidth)], types.Result);
            Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(2 * Values.Rounding(types.Result)), $"row {row}, {variant}");
        }
    }
}

using System.Runtime.InteropServices;
using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>kernels/route.cu, kernels/combine.cu and products over experts against the plain definition, and against products of one matrix bit by bit.</summary>
[TestFixture]
public sealed class ExpertTests
{
    private static readonly DataType[] Types = [DataType.Float16, DataType.BFloat16];

    private static readonly ExpertsDescription[] Routers =
    [
        new() { Count = 1, Active = 1 },
        new() { Count = 5, Active = 5, Normalized = true },
        new() { Count = 33, Active = 4, Score = RouterScore.Sigmoid, SelectionBias = true, Normalized = true, Scale = 2.5f },
        new() { Count = 130, Active = 8, Groups = new() { Count = 10, Active = 3, Leading = 2 }, SelectionBias = true, Score = RouterScore.Sigmoid, Normalized = true },
        new() { Count = 96, Active = 6, Groups = new() { Count = 3, Active = 1, Leading = 1 }, Scale = 16 },
        new() { Count = 256, Active = 40 },
        new() { Count = 16, Active = 2, Margin = 0.02f },
        new() { Count = 45, Active = 7, Margin = 1.1f, Scale = 1.5f },
    ];

    [Test]
    public void Experts_are_chosen_and_weighed([ValueSource(nameof(Routers))] ExpertsDescription experts, [Values(1, 3, 18)] int rows)
    {
        var device = TestDevice.Open((ulong)rows);
        var random = new Random(rows);
        var logits = Values.Random(random, rows * experts.Count);
        var bias = experts.SelectionBias ? Values.Random(random, experts.Count, 0.2f) : new float[experts.Count];
        var (chosen, weights) = Route(device, experts, logits, bias, rows);
        for (var n = 0; n < rows; n++)
        {
            var expected = ReferenceRouter.Choose(
                experts, Array.ConvertAll(logits[(n * experts.Count)..((n + 1) * experts.Count)], x => (double)x), Array.ConvertAll(bias, x => (double)x));
            var own = (n * experts.Active)..((n + 1) * experts.Active);
            Assert.That(chosen[own], Is.EqualTo(expected.Select(one => one.Expert)));
            Assert.That(ErrorMeasure.RelativeRms(weights[own], [.. expected.Select(one => one.Weight)]), Is.LessThan(1e-6));
        }
    }

    [Test]
    public void Of_equal_scores_the_first_wins_and_what_is_no_number_loses()
    {
        var device = TestDevice.Open();
        var experts = new ExpertsDescription { Count = 6, Active = 3, Score = RouterScore.Sigmoid };
        var (chosen, _) = Route(device, experts, [1, 2, 2, 1, 2, 2, float.NaN, 3, 3, 0, 0, 0], new float[6], 2);
        Assert.That(chosen, Is.EqualTo(new[] { 1, 2, 4, 1, 2, 3 }));
    }

    [Test]
    public void Assignments_are_sorted_and_cut_into_tiles([Values(1, 7, 300)] int rows, [Values(8, 32)] int columns)
    {
        var device = TestDevice.Open((ulong)rows);
        foreach (var (count, active) in new[] { (1, 1), (4, 2), (61, 3) })
        {
            var random = new Random(rows);
            var chosen = Enumerable.Range(0, rows).SelectMany(_ => Enumerable.Range(0, count).OrderBy(_ => random.Next()).Take(active)).ToArray();
            var (sources, places, tiles) = Sort(device, chosen, count, active, columns);
            var order = Enumerable.Range(0, chosen.Length).OrderBy(i => chosen[i]).ToArray(); // is stable
            Assert.That(sources, Is.EqualTo(order.Select(i => i / active)));
            Assert.That(order.Select(i => places[i]), Is.EqualTo(Enumerable.Range(0, chosen.Length)));
            var expected = order.Index().GroupBy(pair => chosen[pair.Item]).SelectMany(group => group.Chunk(columns).Select(part => (group.Key, part[0].Index, part.Length))).ToList();
            Assert.That(tiles.Chunk(RouteKernel.TileInts).Select(tile => (tile[0], tile[1], tile[2])).TakeWhile(tile => tile.Item3 > 0), Is.EqualTo(expected));
            Assert.That(tiles.Skip(expected.Count * RouteKernel.TileInts), Is.All.Zero);
        }
    }

    /// <summary>What stands beside a row, and which of the kernels multiplies it, changes no bit of it.</summary>
    [Test]
    public void A_row_has_the_bits_that_a_product_with_its_experts_matrix_gives(
        [ValueSource(nameof(Types))] DataType type, [Values(8, 32, 64, 128)] int columns)
    {
        var device = TestDevice.Open((ulong)columns);
        const int Experts = 3;
        var sets = type == DataType.Float16 ? 1 : 2;
        foreach (var (k, m, rows) in new[] { (1, 1, 3), (111, 17, 40), (1003, 33, 21), (264, 130, 90) })
        {
            using var c = new ExpertCase(device, type, rows, k, m, Experts, columns);
            var output = columns == 8 ? ExpertProductKernel.Gemv(type, sets, GemvOutput.StoreFloat) : ExpertProductKernel.Gemm(type, columns, GemvOutput.StoreFloat);
            var shape = columns == 8 ? ExpertProductKernel.GemvShape(c.TileCount, m, k, sets) : ExpertProductKernel.GemmShape(c.TileCount, columns, m, false);
            var actual = c.Run(output, shape);
            for (var i = 0; i < c.Sources.Length; i++)
                Assert.That(actual[(i * m)..((i + 1) * m)], Is.EqualTo(c.Alone(i)), $"{k}×{m}, assignment {i}");
        }
    }

    [Test]
    public void Gates_meet_their_ups(
        [ValueSource(nameof(Types))] DataType type, [Values(8, 32, 128)] int columns, [Values(null, 0.4f)] float? limit)
    {
        var device = TestDevice.Open((ulong)columns);
        var block = new FeedForwardDescription { IntermediateSize = 1, Activation = limit is null ? Activation.Silu : Activation.QuickGelu, Limit = limit, Bias = limit is null };
        foreach (var (k, m, rows) in new[] { (15, 1, 5), (111, 70, 37) })
        {
            using var c = new ExpertCase(device, type, rows, k, m, 4, columns);
            var instance = columns == 8 ? ExpertProductKernel.GatedGemv(type, block) : ExpertProductKernel.GatedGemm(type, columns, block);
            var shape = columns == 8 ? ExpertProductKernel.GatedGemvShape(c.TileCount, m, k) : ExpertProductKernel.GemmShape(c.TileCount, columns, m, true);
            var actual = c.RunGated(instance, shape, block);
            var expected = c.Gated(block);
            Assert.That(ErrorMeasure.RelativeRms(Array.ConvertAll(actual, x => (float)x), expected), Is.LessThan(2 * Values.Rounding(type)));
        }
    }

    private static readonly Dictionary<string, CodeMeaning> Meanings = CodeMeaning.Integers.Append(new(DataType.Mxfp4)).ToDictionary(meaning => meaning.ToString());

    private static IEnumerable<string> MeaningNames => Meanings.Keys;

    [Test]
    public void Codes_become_numbers(
        [ValueSource(nameof(Types))] DataType type, [ValueSource(nameof(MeaningNames))] string codesAre, [Values] bool gated)
    {
        var meaning = Meanings[codesAre];
        var device = TestDevice.Open();
        const int Experts = 3;
        foreach (var (k, m, rows) in new[] { (32, 16, 3), (96, 48, 21), (1056, 32, 40) })
        {
            var random = new Random(k);
            var matrix = new QuantizedMatrix((gated ? 2 : 1) * Experts * m, k, meaning.Type, new() { GroupSize = 32, ZeroPoints = meaning.Fractional || meaning.Type == DataType.Int4, Fractional = meaning.Fractional });
            var x = Values.Random(random, rows * k);
            var chosen = Enumerable.Range(0, rows).Select(_ => random.Next(Experts)).ToArray();
            var (sources, _, tiles) = Sort(device, chosen, Experts, 1, QuantizedGemvKernel.MostRows);
            using var deviceX = device.Upload(Values.Encode(x, type));
            using var codes = device.Upload(matrix.Bytes);
            using var deviceTiles = device.Upload(tiles);
            using var deviceSources = device.Upload(sources);
            using var y = device.Poisoned<float>(rows * m);
            var block = new FeedForwardDescription { IntermediateSize = m, Activation = Activation.QuickGelu, Limit = 2 };
            var instance = gated ? ExpertProductKernel.GatedQuantized(type, meaning, block) : ExpertProductKernel.Quantized(type, meaning, GemvOutput.StoreFloat);
            device.Run(instance, QuantizedGemvKernel.Shape(m, gated) with { GridY = tiles.Length / RouteKernel.TileInts }, new ExpertParams<QuantizedGemvParams>
            {
                Product = new()
                {
                    X = deviceX.Address,
                    Weight = new()
                    {
                        Codes = codes.Address, Scales = codes.Address + (nuint)matrix.Layout.Scales, ZeroPoints = matrix.Layout.ZeroPointBytes > 0 ? codes.Address + (nuint)matrix.Layout.ZeroPoints : 0, Tiles = matrix.Layout.ColumnTiles, Groups = matrix.Layout.Groups, GroupSize = 32,
                    },
                    Y = y.Address,
                    Outputs = m,
                    Inner = k,
                    UpBlock = Experts * m / 16,
                    XStride = k,
                    YStride = m,
                },
                Tiles = deviceTiles.Address,
                Sources = deviceSources.Address,
                Experts = Experts,
                Limit = 2,
            });
            var input = Values.Round(x, type);
            var weights = matrix.Weights.ToArray();
            double Product(int row, int output) => Enumerable.Range(0, k).Sum(i => input[(row * k) + i] * weights[(output * k) + i]);
            var expected = sources.SelectMany(row => Enumerable.Range(0, m).Select(output =>
            {
                var gate = Product(row, (chosen[row] * m) + output);
                return gated
                    ? ReferenceActivation.Apply(block.Activation, Math.Min(gate, 2)) * (Math.Clamp(Product(row, ((Experts + chosen[row]) * m) + output), -2, 2) + 1)
                    : gate;
            })).ToArray();
            var actual = gated
                ? Array.ConvertAll(Values.Decode(MemoryMarshal.Cast<float, ushort>(y.Download().AsSpan())[..(rows * m)].ToArray(), type), value => (float)value)
                : y.Download();
            Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(((gated ? 2 : meaning.Fractional ? 1 : 0) * Values.Rounding(type)) + 1e-6), $"{k}×{m}");
        }
    }

    [Test]
    public void Results_are_weighed_and_added_up([Values(1, 7, 8, 1003)] int width, [Values(1, 3)] int active, [Values] bool isSwitch)
    {
        var device = TestDevice.Open();
        const int Rows = 5;
        active = isSwitch ? 1 : active;
        var random = new Random(width);
        var stride = (width + 7) / 8 * 8;
        var x = Values.Random(random, Rows * active * width);
        var weights = Values.Random(random, Rows * active);
        var places = Enumerable.Range(0, Rows * active).OrderBy(_ => random.Next()).ToArray();
        using var deviceX = device.Upload(Values.Strided(x, width, stride, float.NaN));
        using var deviceWeights = device.Upload(weights);
        using var devicePlaces = device.Upload(places);
        using var y = device.Poisoned<float>(Rows * stride);
        device.Run(CombineKernel.Instance, CombineKernel.Shape(Rows), new CombineParams
        {
            X = deviceX.Address,
            Places = isSwitch ? 0 : devicePlaces.Address,
            Weights = deviceWeights.Address,
            Y = y.Address,
            Width = width,
            Active = active,
            XStride = stride,
            WeightStride = active,
            YStride = stride,
            Sigmoid = isSwitch ? 1 : 0,
        });
        double Weight(int i) => isSwitch ? 1 / (1 + Math.Exp(-weights[i])) : weights[i];
        int Place(int i) => isSwitch ? i : places[i];
        var expected = Enumerable.Range(0, Rows).SelectMany(n => Enumerable.Range(0, width).Select(
            c => Enumerable.Range(n * active, active).Sum(i => Weight(i) * x[(Place(i) * width) + c]))).ToArray();
        Assert.That(ErrorMeasure.RelativeRms(Values.Unstrided(y.Download(), width, stride), expected), Is.LessThan(1e-6));
        Assert.That(Values.Between(y.Download(), width, stride), Is.All.NaN);
    }

    private static (int[] Chosen, float[] Weights) Route(TestDevice device, ExpertsDescription experts, float[] logits, float[] bias, int rows)
    {
        var stride = ((experts.Count + 7) / 8 * 8) + 8;
        using var deviceLogits = device.Upload(Values.Strided(logits, experts.Count, stride, float.PositiveInfinity));
        using var deviceBias = device.Upload(bias);
        using var chosen = device.Poisoned<int>(rows * experts.Active);
        using var weights = device.Poisoned<float>(rows * experts.Active);
        device.Run(RouteKernel.Route, RouteKernel.RouteShape(rows, experts), new RouteParams
        {
            Logits = deviceLogits.Address,
            Bias = experts.SelectionBias ? deviceBias.Address : 0,
            Chosen = chosen.Address,
            Weights = weights.Address,
            Rows = rows,
            Experts = experts.Count,
            Active = experts.Active,
            Stride = stride,
            Sigmoid = experts.Score == RouterScore.Sigmoid ? 1 : 0,
            Groups = experts.Groups?.Count ?? 0,
            ActiveGroups = experts.Groups?.Active ?? 0,
            Leading = experts.Groups?.Leading ?? 0,
            Normalized = experts.Normalized ? 1 : 0,
            Scale = experts.Scale ?? 1,
            Margin = experts.Margin ?? -1,
        });
        return (chosen.Download(), weights.Download());
    }

    private static (int[] Sources, int[] Places, int[] Tiles) Sort(TestDevice device, int[] chosen, int experts, int active, int columns)
    {
        var most = RouteKernel.MostTiles(chosen.Length, experts, columns);
        using var deviceChosen = device.Upload(chosen);
        using var sources = device.Poisoned<int>(chosen.Length);
        using var places = device.Poisoned<int>(chosen.Length);
        using var tiles = device.Poisoned<int>(most * RouteKernel.TileInts);
        device.Run(RouteKernel.Sort, RouteKernel.SortShape(new() { Count = experts, Active = active }), new SortParams
        {
            Chosen = deviceChosen.Address,
            Sources = sources.Address,
            Places = places.Address,
            Tiles = tiles.Address,
            Assignments = chosen.Length,
            Experts = experts,
            Active = active,
            MostTiles = most,
            Columns = columns,
        });
        return (sources.Download(), places.Download(), tiles.Download());
    }

    /// <summary>Rows of x, each with one of the experts, whose matrices are gate and up of <c>m</c> rows each.</summary>
    private sealed class ExpertCase : IDisposable
    {
        private readonly TestDevice device;
        private readonly DataType type;
        private readonly int k;
        private readonly int m;
        private readonly int experts;
        private readonly int stride;
        private readonly int[] chosen;
        private readonly float[] x;
        private readonly float[] w;
        private readonly float[] b;
        private readonly DeviceArray<ushort> deviceX;
        private readonly DeviceArray<ushort> deviceW;
        private readonly DeviceArray<float> deviceB;
        private readonly DeviceArray<int> deviceSources;
        private readonly DeviceArray<int> deviceTiles;

        public ExpertCase(TestDevice device, DataType type, int rows, int k, int m, int experts, int columns)
        {
            (this.device, this.type, this.k, this.m, this.experts) = (device, type, k, m, experts);
            var random = new Random((k * 31) + m);
            stride = ((k + 7) / 8 * 8) + 8;
            x = Values.Random(random, rows * k);
            w = Values.Random(random, 2 * experts * m * k, 0.5f / MathF.Sqrt(k));
            b = Values.Random(random, 2 * experts * m, 0.1f);
            chosen = [.. Enumerable.Range(0, rows).Select(_ => random.Next(experts))];
            deviceX = device.Upload(Values.Strided(Values.Encode(x, type), k, stride, ushort.MaxValue));
            deviceW = device.Upload(Values.Strided(Values.Encode(w, type), k, stride, (ushort)0));
            deviceB = device.Upload(b);
            (Sources, _, var tiles) = Sort(device, chosen, experts, 1, columns);
            TileCount = tiles.Length / RouteKernel.TileInts;
            deviceSources = device.Upload(Sources);
            deviceTiles = device.Upload(tiles);
        }

        public int[] Sources { get; }

        public int TileCount { get; }

        /// <summary>The product of gate's rows with an assignment's row, by the kernel for one matrix.</summary>
        public float[] Alone(int assignment)
        {
            var row = Sources[assignment];
            using var y = device.Poisoned<float>(m);
            device.Run(
                GemvKernel.Instance(type, 1, GemvInput.PlainInput, GemvOutput.StoreFloat),
                GemvKernel.Shape(1, m, k, 1, GemvInput.PlainInput, 132),
                new GemvParams
                {
                    X = deviceX.Address + (nuint)(row * stride * sizeof(ushort)),
                    Weight = deviceW.Address + (nuint)(chosen[row] * m * stride * sizeof(ushort)),
                    Bias = deviceB.Address + (nuint)(chosen[row] * m * sizeof(float)),
                    Y = y.Address,
                    Rows = 1,
                    Outputs = m,
                    Inner = k,
                    XStride = stride,
                    WStride = stride,
                    YStride = m,
                });
            return y.Download();
        }

        public float[] Run(KernelInstance instance, Weft.Interop.LaunchShape shape)
        {
            using var y = device.Poisoned<float>(Sources.Length * m);
            Launch(instance, shape, y.Address, m, new() { IntermediateSize = m, Activation = Activation.Silu, Bias = true });
            return y.Download();
        }

        public double[] RunGated(KernelInstance instance, Weft.Interop.LaunchShape shape, FeedForwardDescription block)
        {
            using var y = device.Poisoned<ushort>(Sources.Length * m);
            Launch(instance, shape, y.Address, m, block);
            return Values.Decode(y.Download(), type);
        }

        /// <summary>The definition of gate and up.</summary>
        public double[] Gated(FeedForwardDescription block)
        {
            var (input, weights) = (Values.Round(x, type), Values.Round(w, type));
            return [.. Sources.SelectMany(row => Enumerable.Range(0, m).Select(output =>
            {
                double Product(int first)
                {
                    var at = first + (chosen[row] * m) + output;
                    return Enumerable.Range(0, k).Sum(i => input[(row * k) + i] * weights[(at * k) + i]) + (block.Bias ? b[at] : 0);
                }

                var (gate, up) = (Product(0), Product(experts * m));
                if (block.Limit is { } limit)
                    (gate, up) = (Math.Min(gate, limit), Math.Clamp(up, -limit, limit) + 1);
                return ReferenceActivation.Apply(block.Activation, gate) * up;
            }))];
        }

        public void Dispose()
        {
            deviceX.Dispose();
            deviceW.Dispose();
            deviceB.Dispose();
            deviceSources.Dispose();
            deviceTiles.Dispose();
        }

        private void Launch(KernelInstance instance, Weft.Interop.LaunchShape shape, nuint y, int yStride, FeedForwardDescription block)
        {
            if (instance.Source == "gemv.cu")
            {
                device.Run(instance, shape, With(new GemvParams
                {
                    X = deviceX.Address, Weight = deviceW.Address, Bias = block.Bias ? deviceB.Address : 0, Y = y, Outputs = m, Inner = k, XStride = stride, WStride = stride, YStride = yStride,
                }));
                return;
            }

            device.Run(instance, shape, With(new GemmParams
            {
                X = deviceX.Address, Weight = deviceW.Address, Bias = block.Bias ? deviceB.Address : 0, Y = y, Outputs = m, Inner = k, XStride = stride, WStride = stride, YStride = yStride,
            }));

            ExpertParams<TProduct> With<TProduct>(TProduct product)
                where TProduct : unmanaged => new() { Product = product, Tiles = deviceTiles.Address, Sources = deviceSources.Address, Experts = experts, Limit = block.Limit ?? 0 };
        }
    }
}

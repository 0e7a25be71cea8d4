using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>
/// The kernels that carry a state, against their definitions over a whole sequence: its beginning in one step, the rest in a second that goes on from
/// the state, a middle part once more from a snapshot that the first step made, beside places without a sequence, and all of it in one step; bits do not
/// depend on the cut.
/// </summary>
[TestFixture]
public sealed class StateKernelTests
{
    private const int Tokens = 23;
    private const int First = 13;
    private const int Snapshot = 5;
    private const int Slots = 4;
    private const int Offset = 4;
    private const int Pad = 4;

    [Test]
    public void Tokens_are_shifted([Values(1, 15, 128, 1003)] int width)
    {
        var x = Values.Random(new Random(width), Tokens * width);
        Check(width, width, ReferenceRecurrent.Shift(Doubles(x), width), [x], (device, state, inputs, y, stride, sequences) => device.Run(
            StateKernels.TokenShift, StateKernels.ChannelShape(width, sequences),
            new TokenShiftParams { State = state, X = inputs[0], Y = y, Width = width, XStride = stride, YStride = stride }));
    }

    [Test]
    public void Values_are_averaged_and_no_key_overflows([Values(1, 15, 111, 130)] int width, [Values(1, 40)] int scale)
    {
        var random = new Random(width);
        var (k, v, first) = (Values.Random(random, Tokens * width, scale), Values.Random(random, Tokens * width), Values.Random(random, width));
        var decay = Array.ConvertAll(Values.Random(random, width), x => -MathF.Abs(x));
        using var pd = TestDevice.Open().Upload(decay);
        using var pf = TestDevice.Open().Upload(first);
        var reference = Average(Doubles(decay), Doubles(first), Doubles(k), Doubles(v));
        Check(width, 3 * width, reference, [k, v], (device, state, inputs, y, stride, sequences) => device.Run(
            StateKernels.Average, StateKernels.ChannelShape(width, sequences),
            new AverageParams { State = state, Decay = pd.Address, First = pf.Address, K = inputs[0], V = inputs[1], Y = y, Width = width, KStride = stride, VStride = stride, YStride = stride }));
    }

    [TestCase(1, 8, false)]
    [TestCase(3, 40, true)]
    [TestCase(2, 64, false)]
    [TestCase(2, 64, true)]
    [TestCase(2, 72, true)]
    [TestCase(1, 136, true)]
    [TestCase(1, 256, false)]
    public void Heads_decay(int heads, int size, bool depends)
    {
        var (width, random) = (heads * size, new Random(size));
        var (r, k, v) = (Values.Random(random, Tokens * width, 0.3f), Values.Random(random, Tokens * width, 0.3f), Values.Random(random, Tokens * width, 0.3f));
        var (d, first) = (Values.Random(random, depends ? Tokens * width : width, 0.1f), Values.Random(random, width));
        var decay = Array.ConvertAll(d, x => -MathF.Abs(x));
        using var pd = TestDevice.Open().Upload(decay);
        using var pf = TestDevice.Open().Upload(first);
        var w = depends ? Array.ConvertAll(Doubles(d), x => Math.Exp(-Math.Exp(x))) : Array.ConvertAll(Doubles(decay), Math.Exp);
        Check(width, width * size, ReferenceRecurrent.Decay(w, Doubles(first), Doubles(r), Doubles(k), Doubles(v), size), depends ? [r, k, v, d] : [r, k, v], (device, state, inputs, y, stride, sequences) => device.Run(
            StateKernels.Decay, StateKernels.DecayShape(heads, size, sequences), new DecayParams
            {
                State = state, Decay = depends ? 0 : pd.Address, First = pf.Address, R = inputs[0], K = inputs[1], V = inputs[2], D = depends ? inputs[3] : 0, Y = y,
                HeadSize = size, Lanes = StateKernels.HeadLanes(size), Stride = stride, DStride = stride, YStride = stride,
            }));
    }

    [TestCase(1, 8)]
    [TestCase(3, 40)]
    [TestCase(2, 64)]
    [TestCase(2, 72)]
    [TestCase(1, 136)]
    [TestCase(1, 256)]
    public void Heads_learn_by_the_delta_rule(int heads, int size)
    {
        var (width, random) = (heads * size, new Random(size));
        float[] Random(float scale) => Values.Random(random, Tokens * width, scale);
        var (r, d, k, v) = (Random(0.3f), Random(0.3f), Random(0.3f), Random(0.3f));
        var a = Array.ConvertAll(Random(1), x => 1 / (1 + MathF.Exp(-x)));
        var (scale, rate) = (Values.Random(random, width), Values.Random(random, width, 0.3f));
        using var ps = TestDevice.Open().Upload(scale);
        using var pr = TestDevice.Open().Upload(rate);
        var w = Array.ConvertAll(Doubles(d), x => Math.Exp(-Math.Exp(-0.5) / (1 + Math.Exp(-x))));
        double[] kappa = [.. k.Select((key, i) => (double)key * scale[i % width])];
        double[] keys = [.. k.Select((key, i) => key * (1 + (((double)a[i] - 1) * rate[i % width])))];
        Check(width, width * size, ReferenceRecurrent.DeltaRule(Doubles(r), w, kappa, keys, Doubles(v), Doubles(a), width, size), [r, d, k, v, a], (device, state, inputs, y, stride, sequences) => device.Run(
            StateKernels.DeltaRule, StateKernels.DeltaRuleShape(heads, size, sequences), new DeltaRuleParams
            {
                State = state, KeyScale = ps.Address, KeyRate = pr.Address, R = inputs[0], D = inputs[1], K = inputs[2], V = inputs[3], A = inputs[4], Y = y,
                HeadSize = size, Lanes = StateKernels.HeadLanes(size), Stride = stride, YStride = stride,
            }));
    }

    [Test]
    public void Channels_are_convolved([Values(1, 15, 130)] int width, [Values(1, 2, 4, 9)] int taps, [Values] bool biased)
    {
        var random = new Random(width);
        var (x, weight, bias) = (Values.Random(random, Tokens * width), Values.Random(random, taps * width, 0.5f), Values.Random(random, width));
        using var pw = TestDevice.Open().Upload(weight);
        using var pb = TestDevice.Open().Upload(bias);
        Check(width, (taps - 1) * width, ReferenceRecurrent.Convolution(Doubles(x), Doubles(weight), biased ? Doubles(bias) : [], width), [x], (device, state, inputs, y, stride, sequences) => device.Run(
            StateKernels.Convolution, StateKernels.ChannelShape(width, sequences), new ConvolutionParams
            {
                State = state, Weight = pw.Address, Bias = biased ? pb.Address : 0, X = inputs[0], Y = y, Taps = taps, Width = width, XStride = stride, YStride = stride,
            }));
    }

    [TestCase(1, 0, 0, 1)]
    [TestCase(111, 0, 0, 16)]
    [TestCase(130, 0, 0, 5)]
    [TestCase(5, 0, 0, 128)]
    [TestCase(6, 3, 1, 7)]
    [TestCase(132, 12, 3, 16)]
    [TestCase(96, 2, 1, 128)]
    [TestCase(22, 2, 2, 250)]
    public void Channels_are_scanned(int width, int heads, int groups, int size)
    {
        var random = new Random(width);
        var space = new StateSpaceDescription
        {
            Kind = heads == 0 ? StateSpaceKind.Selective : StateSpaceKind.Dual, Width = width, StateSize = size, Convolution = 1, Heads = heads, Groups = groups,
            StepMin = heads == 12 ? 0.3f : null, StepMax = heads == 12 ? 1.5f : null,
        };
        var (steps, rows) = (heads == 0 ? width : heads, Math.Max(groups, 1) * size);
        var (x, step) = (Values.Random(random, Tokens * width), Values.Random(random, Tokens * steps));
        var (b, c) = (Values.Random(random, Tokens * rows), Values.Random(random, Tokens * rows));
        var (decay, skip) = (Values.Random(random, heads == 0 ? width * size : heads, 0.03f), Values.Random(random, steps));
        var device = TestDevice.Open();
        var (stepStride, rowStride) = (steps + 3, (rows + 8) / 4 * 4);
        using var pd = device.Upload(decay);
        using var pk = device.Upload(skip);
        using var ps = device.Upload(Values.Strided(step, steps, stepStride, float.NaN));
        using var pb = device.Upload(Values.Strided(b, rows, rowStride, float.NaN));
        using var pc = device.Upload(Values.Strided(c, rows, rowStride, float.NaN));
        var reference = ReferenceRecurrent.Scan(space, Doubles(decay), Doubles(skip), Doubles(x), Doubles(step), Doubles(b), Doubles(c));
        Check(width, width * size, reference, [x], (_, state, inputs, y, stride, sequences) => device.Run(
            StateKernels.Scan(heads > 0), StateKernels.ScanShape(heads > 0, width, width / Math.Max(groups, 1), size, sequences), new ScanParams
            {
                State = state, Decay = pd.Address, Skip = pk.Address, X = inputs[0], Step = ps.Address, B = pb.Address, C = pc.Address, Y = y,
                HeadSize = width / steps, GroupSize = width / Math.Max(groups, 1), StateSize = size, Lanes = StateKernels.ScanLanes(heads > 0, size),
                XStride = stride, StepStride = stepStride, RowStride = rowStride, YStride = stride, StepMin = space.StepMin ?? 0, StepMax = space.StepMax ?? float.PositiveInfinity,
            }));
    }

    [Test]
    public void Elements_are_mixed_and_gated(
        [Values(DataType.Float16, DataType.BFloat16, DataType.Float32)] DataType type, [Values(1, 15, 111, 1003)] int width, [Values("mix", "mixed more", "lerp", "gate")] string which)
    {
        const int Rows = 3;
        var (device, random, stride) = (TestDevice.Open(), new Random(width), width + 5);
        var (x, delta, amount, weight) = (Values.Random(random, Rows * width), Values.Random(random, Rows * width), Values.Random(random, Rows * width), Values.Random(random, width));
        using var px = device.Upload(Values.Strided(x, width, stride, float.NaN));
        using var pd = device.Upload(Values.Strided(delta, width, stride, float.NaN));
        using var pa = device.Upload(Values.Strided(amount, width, stride, float.NaN));
        using var pw = device.Upload(weight);
        using var y = device.Poisoned<byte>(Rows * stride * type.Size());
        var kernel = which switch { "lerp" => MixKernels.Lerp(type), "gate" => MixKernels.Gate(type, Activation.Sigmoid), _ => MixKernels.Mix(type) };
        device.Run(kernel, MixKernels.Shape(Rows), new MixParams
        {
            X = px.Address, Delta = pd.Address, Adjustment = which == "mix" ? 0 : pa.Address, Weight = pw.Address, Y = y.Address, Width = width, Stride = stride, YStride = stride,
        });
        var expected = x.Select((value, i) => which switch
        {
            "lerp" => value + (((double)delta[i] - value) * amount[i]),
            "gate" => value / (1 + Math.Exp(-amount[i])),
            _ => value + (delta[i] * ((double)weight[i % width] + (which == "mix" ? 0 : amount[i]))),
        }).ToArray();
        var stored = Decode(y.Download(), type);
        Assert.That(ErrorMeasure.RelativeRms(Values.Unstrided(stored, width, stride), expected), Is.LessThan(Values.Rounding(type) + 1e-6));
        Assert.That(Values.Between(stored, width, stride), Has.All.NaN);
    }

    [Test]
    public void Heads_get_their_bonus([Values(DataType.Float16, DataType.BFloat16, DataType.Float32)] DataType type, [Values(1, 5, 32, 64, 100)] int size)
    {
        const int Rows = 3;
        var (device, random, width) = (TestDevice.Open(), new Random(size), 3 * size);
        var stride = width + 7;
        var inputs = Enumerable.Range(0, 6).Select(_ => Values.Random(random, Rows * width, 0.1f)).ToArray();
        var (rate, first) = (Values.Random(random, width), Values.Random(random, width));
        using var pr = device.Upload(rate);
        using var pf = device.Upload(first);
        var arrays = Array.ConvertAll(inputs, input => device.Upload(Values.Strided(input, width, stride, float.NaN)));
        using var y = device.Poisoned<byte>(Rows * stride * type.Size());
        device.Run(MixKernels.Bonus(type), MixKernels.BonusShape(Rows, 3), new BonusParams
        {
            KeyRate = pr.Address, First = pf.Address, R = arrays[0].Address, K = arrays[1].Address, V = arrays[2].Address, A = arrays[3].Address, Gate = arrays[4].Address,
            X = arrays[5].Address, Y = y.Address, HeadSize = size, Stride = stride, YStride = stride,
        });
        var (r, k, v, a, gate, x) = (inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], inputs[5]);
        var expected = x.Select((value, i) => gate[i] * (value + (v[i] * Enumerable.Range(i / size * size, size).Sum(
            j => (double)r[j] * k[j] * (1 + ((a[j] - 1.0) * rate[j % width])) * first[j % width])))).ToArray();
        var stored = Decode(y.Download(), type);
        Assert.That(ErrorMeasure.RelativeRms(Values.Unstrided(stored, width, stride), expected), Is.LessThan(Values.Rounding(type) + 1e-5));
        Assert.That(Values.Between(stored, width, stride), Has.All.NaN);
        foreach (var array in arrays)
            array.Dispose();
    }

    private delegate void Launch(TestDevice device, StateParams state, nuint[] inputs, nuint y, int stride, int sequences);

    private static void Check(int width, int stateSize, double[] reference, float[][] inputs, Launch launch)
    {
        var (device, stride) = (TestDevice.Open(), (width + 6) / 4 * 4);
        var size = Offset + ((stateSize + 3) / 4 * 4) + Pad;
        using var states = device.Poisoned<float>(Slots * size);
        using var y = device.Poisoned<float>(Tokens * stride);
        var arrays = Array.ConvertAll(inputs, input => device.Upload(Values.Strided(input, width, stride, float.NaN)));
        var snapshots = new int[Tokens];
        Array.Fill(snapshots, -1);
        snapshots[Snapshot - 1] = 3;
        Run([0], [-1], [0, First], snapshots);
        Array.Fill(snapshots, -1);
        Run([0, -1, -1], [0, -1, -1], [First, Tokens, Tokens, Tokens], snapshots);
        var stored = y.Download();
        Assert.That(ErrorMeasure.RelativeRms(Values.Unstrided(stored, width, stride), reference), Is.LessThan(2e-5));
        Assert.That(Values.Between(stored, width, stride), Has.All.NaN);

        // Once more from the snapshot, beside a place without a sequence: the same bits.
        y.Memory.FillAsync(0xFF, device.Stream);
        device.Stream.Synchronize();
        Run([2, -1], [3, -1], [Snapshot, Tokens, Tokens], snapshots);
        var again = y.Download();
        Assert.That(Values.Unstrided(again, width, stride).Skip(Snapshot * width), Is.EqualTo(Values.Unstrided(stored, width, stride).Skip(Snapshot * width)));
        Assert.That(again.Take(Snapshot * stride), Has.All.NaN);

        y.Memory.FillAsync(0xFF, device.Stream);
        device.Stream.Synchronize();
        Run([1], [-1], [0, Tokens], snapshots);
        Assert.That(Values.Unstrided(y.Download(), width, stride), Is.EqualTo(Values.Unstrided(stored, width, stride)), "in one step");

        var all = states.Download();
        float[] State(int slot) => all.AsSpan((slot * size) + Offset, stateSize).ToArray();
        Assert.That(State(1), Has.None.NaN.And.EqualTo(State(0)), "in one step");
        Assert.That(State(2), Is.EqualTo(State(0)), "from a snapshot");
        for (var slot = 0; slot < Slots; slot++)
        {
            Assert.That(all.AsSpan(slot * size, Offset).ToArray(), Has.All.NaN, "before its part of a state");
            Assert.That(all.AsSpan((slot * size) + Offset + stateSize, size - Offset - stateSize).ToArray(), Has.All.NaN, "after its part of a state");
        }

        foreach (var array in arrays)
            array.Dispose();

        void Run(int[] slots, int[] sources, int[] starts, int[] copies)
        {
            using var p0 = device.Upload(slots);
            using var p1 = device.Upload(sources);
            using var p2 = device.Upload(starts);
            using var p3 = device.Upload(copies);
            launch(
                device,
                new() { States = states.Address, Slots = p0.Address, Sources = p1.Address, Starts = p2.Address, Snapshots = p3.Address, Stride = size, Offset = Offset },
                Array.ConvertAll(arrays, array => array.Address), y.Address, stride, slots.Length);
        }
    }

    /// <summary>The definition with every token's weights divided by the largest of them, which cancels.</summary>
    private static double[] Average(double[] decay, double[] first, double[] k, double[] v)
    {
        var width = decay.Length;
        return [.. v.Select((_, place) =>
        {
            var (t, c) = Math.DivRem(place, width);
            var exponents = Enumerable.Range(0, t + 1).Select(i => k[(i * width) + c] + (i == t ? first[c] : decay[c] * (t - 1 - i))).ToArray();
            var weights = Array.ConvertAll(exponents, exponent => Math.Exp(exponent - exponents.Max()));
            return weights.Select((weight, i) => weight * v[(i * width) + c]).Sum() / weights.Sum();
        })];
    }

    private static float[] Decode(byte[] bytes, DataType type) => type == DataType.Float32
        ? System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray()
        : Array.ConvertAll(Values.Decode(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(bytes).ToArray(), type), x => (float)x);

    private static double[] Doubles(float[] x) => Array.ConvertAll(x, value => (double)value);
}

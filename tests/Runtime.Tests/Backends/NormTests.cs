using System.Runtime.Intrinsics;
using Weft.Backends.Cpu;
using Weft.Backends.Cpu.Operations;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.KvCache;
using Weft.Models;
using Weft.Reference;
using Weft.Scheduling;

namespace Weft.Runtime.Tests.Backends;

[TestFixture]
public sealed unsafe class NormTests
{
    [Test]
    public void A_norm_matches_its_definition(
        [Values] InstructionSet set, [Values] NormKind kind, [Values] bool isBare, [Values(1, 15, 111, 256, 1003)] int size, [Values(1, 9)] int tokens, [Values(1, 3)] int groups)
    {
        if (!InstructionSets.IsSupported(set))
            Assert.Ignore($"this machine does not have {set.Name()}");
        var width = size * groups;
        var norm = new NormDescription { Kind = kind, Epsilon = 1e-5f, Weightless = isBare, Bias = kind == NormKind.Layer && !isBare };
        var random = new Random(width);
        using var x = new NativeBuffer(4L * tokens * width);
        using var y = new NativeBuffer((4L * tokens * width) + 4);
        using var weight = new NativeBuffer(4L * width);
        using var bias = new NativeBuffer(4L * width);
        var input = new Span<float>(x.Address, tokens * width);
        var output = new Span<float>(y.Address, (tokens * width) + 1);
        output.Fill(float.NaN);
        // Some channels are a thousand times larger, as the residual streams of real models have them, and the mean is not zero.
        for (var i = 0; i < input.Length; i++)
            input[i] = (float)((TinyModel.Normal(random) * (i % 77 == 3 ? 1000 : 1)) + 5);
        var w = new Span<float>(weight.Address, width);
        for (var i = 0; i < width; i++)
            w[i] = (float)(1 + (0.3 * TinyModel.Normal(random)));
        var b = new Span<float>(bias.Address, width);
        for (var i = 0; i < width; i++)
            b[i] = (float)TinyModel.Normal(random);

        var batch = new StepBatch(tokens, 1, 4, 1);
        using var table = new BlockTable(new BlockPool(8), 64);
        Assert.That(table.TryExtend(tokens, out _), Is.True);
        batch.Add(new int[tokens], 0, table, LogitRows.None, drawn: 0);
        using var context = new ProgramContext(batch, 1, 1, 1);
        Operation operation = set switch
        {
            InstructionSet.Vector512 => New<Simd512, Vector512<float>>(),
            InstructionSet.Vector256 => New<Simd256, Vector256<float>>(),
            InstructionSet.Vector128 => New<Simd128, Vector128<float>>(),
            _ => New<SimdScalar, float>(),
        };
        for (int item = 0, items = operation.Prepare(); item < items; item++)
            operation.Run(item, 0);

        var expected = ReferenceNorm.Apply(norm, Doubles(input), norm.Weightless ? [] : Doubles(w), norm.Bias ? Doubles(b) : [], size);
        Assert.Multiple(() =>
        {
            Assert.That(ErrorMeasure.RelativeRms(new ReadOnlySpan<float>(y.Address, tokens * width), expected), Is.LessThan(size == 1 ? 1e-5 : 7e-7));
            Assert.That(((float*)y.Address)[tokens * width], Is.NaN, "nothing is written beyond the last row");
        });

        Operation New<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            var values = new Value(0, Rows.Tokens, width);
            var bound = new BoundNorm<TSimd, TVector>(norm, norm.Weightless ? null : (float*)weight.Address, norm.Bias ? (float*)bias.Address : null);
            return new NormOperation<TSimd, TVector>(context, new NormNode(norm, "norm", size, values, values), bound, (float*)x.Address, (float*)y.Address);
        }
    }

    private static double[] Doubles(ReadOnlySpan<float> values) => Array.ConvertAll(values.ToArray(), value => (double)value);
}

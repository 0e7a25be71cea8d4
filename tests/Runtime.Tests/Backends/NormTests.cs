using System.Runtime.Intrinsics;
using Weft.Backends.Cpu;
using Weft.Backends.Cpu.Operations;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.KvCache;
using Weft.Reference;
using Weft.Scheduling;

namespace Weft.Runtime.Tests.Backends;

[TestFixture]
public sealed unsafe class NormTests
{
    [Test]
    public void RmsNorm_matches_its_definition([Values] InstructionSet set, [Values(1, 15, 111, 256, 1003)] int width, [Values(1, 9, 30)] int tokens)
    {
        if (!InstructionSets.IsSupported(set))
            Assert.Ignore($"this machine does not have {set.Name()}");
        var random = new Random(width);
        using var x = new NativeBuffer(4L * tokens * width);
        using var y = new NativeBuffer((4L * tokens * width) + 4);
        using var weight = new NativeBuffer(4L * width);
        var input = new Span<float>(x.Address, tokens * width);
        var output = new Span<float>(y.Address, (tokens * width) + 1);
        output.Fill(float.NaN);
        // Some channels are a thousand times larger, as the residual streams of real models have them.
        for (var i = 0; i < input.Length; i++)
            input[i] = (float)(TinyModel.Normal(random) * (i % 77 == 3 ? 1000 : 1));
        var w = new Span<float>(weight.Address, width);
        for (var i = 0; i < width; i++)
            w[i] = (float)(1 + (0.3 * TinyModel.Normal(random)));

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

        double[] weights = [.. w.ToArray().Select(value => (double)value)];
        double[] inputs = [.. input.ToArray().Select(value => (double)value)];
        var expected = Enumerable.Range(0, tokens).SelectMany(n => ReferenceNorm.Rms(inputs.AsSpan(n * width, width), weights, 1e-5f)).ToArray();
        Assert.Multiple(() =>
        {
            Assert.That(ErrorMeasure.RelativeRms(new ReadOnlySpan<float>(y.Address, tokens * width), expected), Is.LessThan(5e-7));
            Assert.That(((float*)y.Address)[tokens * width], Is.NaN, "nothing is written beyond the last row");
        });

        Operation New<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct =>
            new RmsNormOperation<TSimd, TVector>(context, Rows.Tokens, 1e-5f, (float*)weight.Address, width, (float*)x.Address, (float*)y.Address);
    }
}

using System.Runtime.Intrinsics;
using Weft.Backends.Cpu;
using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.Operations;
using Weft.Backends.Cpu.Simd;
using Weft.KvCache;
using Weft.Models;
using Weft.Reference;
using Weft.Scheduling;
using Weft.Tensors;

namespace Weft.Runtime.Tests.Backends;

/// <summary>
/// Rotary, cache write and attention together against their plain definitions: two sequences in one step, scattered cache blocks, every
/// width and cache type.
/// </summary>
[TestFixture]
public sealed unsafe class AttentionTests
{
    private static readonly (int Heads, int Groups, int Size, int? Window)[] Shapes =
        [(1, 1, 32, null), (4, 2, 16, null), (8, 1, 80, null), (6, 2, 100, 5), (4, 4, 34, 64), (16, 2, 128, 1)];

    [Test]
    public void Attention_matches_its_definition([Values] InstructionSet set, [Values(DataType.Float32, DataType.Float16, DataType.BFloat16)] DataType cacheType)
    {
        if (!InstructionSets.IsSupported(set))
            Assert.Ignore($"this machine does not have {set.Name()}");
        foreach (var (heads, groups, size, window) in Shapes)
        {
            var attention = new AttentionDescription
            {
                QueryHeads = heads,
                KeyValueHeads = groups,
                HeadSize = size,
                Scale = 1 / MathF.Sqrt(size),
                Window = window,
                Rotary = new RotaryDescription { Theta = 10000 },
            };
            foreach (var (earlier, now) in new[] { (0, 1), (0, 17), (15, 1), (63, 3), (64, 1), (70, 40) })
                Check(set, cacheType, attention, earlier, now);
        }
    }

    private static void Check(InstructionSet set, DataType cacheType, AttentionDescription attention, int earlier, int now)
    {
        var tolerance = cacheType switch
        {
            DataType.Float32 => 2e-6,
            DataType.Float16 => 1e-3,
            _ => 8e-3,
        };
        var random = new Random(earlier + (100 * now));
        using var run = new Run(set, cacheType, attention);
        var inputs = new[] { run.Random(earlier + now, random), run.Random(earlier + now + 5, random) };
        // The first step brings both sequences to their earlier lengths, so that their blocks interleave in the pool.
        if (earlier > 0)
            run.Step((inputs[0][..(earlier * run.Width)], 0), (inputs[1][..((earlier + 5) * run.Width)], 1));
        var results = run.Step(
            (inputs[0][(earlier * run.Width)..], 0), (earlier > 0 ? inputs[1][((earlier + 5) * run.Width)..] : inputs[1], 1));
        for (var i = 0; i < 2; i++)
        {
            var expected = Expected(attention, inputs[i]);
            var actual = results[i];
            var error = ErrorMeasure.RelativeRms(actual, expected.AsSpan(expected.Length - actual.Length));
            Assert.That(error, Is.LessThan(tolerance), $"{attention}, {earlier} tokens before, sequence {i}");
        }
    }

    private static double[] Expected(AttentionDescription attention, float[] joint)
    {
        var (q, kv) = (attention.QueryHeads * attention.HeadSize, attention.KeyValueHeads * attention.HeadSize);
        var width = q + (2 * kv);
        var tokens = joint.Length / width;
        double[] Columns(int first, int count) =>
            [.. Enumerable.Range(0, tokens).SelectMany(n => joint.Skip((n * width) + first).Take(count)).Select(x => (double)x)];
        var positions = Enumerable.Range(0, tokens).ToArray();
        var (queries, keys) = (Columns(0, q), Columns(q, kv));
        ReferenceRotary.Apply(queries, positions, attention.Rotary!, attention.HeadSize);
        ReferenceRotary.Apply(keys, positions, attention.Rotary!, attention.HeadSize);
        return ReferenceAttention.Apply(queries, keys, Columns(q + kv, kv), positions, attention);
    }

    /// <summary>A cache with two sequences, and the two operations bound to it.</summary>
    private sealed class Run : IDisposable
    {
        private const int MaxTokens = 256;

        private readonly AttentionDescription attention;
        private readonly BlockPool blocks = new(64);
        private readonly BlockTable[] tables;
        private readonly StepBatch batch = new(MaxTokens, 2, MaxTokens / 16, 1);
        private readonly ProgramContext context;
        private readonly CpuKvCache cache;
        private readonly RotaryTable rotary;
        private readonly NativeBuffer joint;
        private readonly NativeBuffer mixed;
        private readonly Operation[] operations;

        public Run(InstructionSet set, DataType cacheType, AttentionDescription attention)
        {
            this.attention = attention;
            var size = attention.HeadSize;
            Width = (attention.QueryHeads + (2 * attention.KeyValueHeads)) * size;
            tables = [new BlockTable(blocks, MaxTokens), new BlockTable(blocks, MaxTokens)];
            context = new ProgramContext(batch, 1, AttentionKernel.ScratchFloats(size), 1);
            var description = TinyModel.Describe(layers: 1);
            cache = new CpuKvCache(description with { Layers = [description.Layers[0] with { Attention = attention }] }, cacheType, 64);
            rotary = new RotaryTable(attention.Rotary!, size, MaxTokens, MaxTokens);
            joint = new NativeBuffer(4L * MaxTokens * Width);
            mixed = new NativeBuffer(4L * MaxTokens * attention.QueryHeads * size);
            operations = set switch
            {
                InstructionSet.Vector512 => Bind<Simd512, Vector512<float>>(cacheType),
                InstructionSet.Vector256 => Bind<Simd256, Vector256<float>>(cacheType),
                InstructionSet.Vector128 => Bind<Simd128, Vector128<float>>(cacheType),
                _ => Bind<SimdScalar, float>(cacheType),
            };
        }

        public int Width { get; }

        /// <summary>Queries, keys and values of some tokens; one in 50 is large.</summary>
        public float[] Random(int tokens, Random random) =>
            [.. Enumerable.Range(0, tokens * Width).Select(i => (float)(TinyModel.Normal(random) * (i % 50 == 0 ? 5 : 1)))];

        public float[][] Step(params (float[] Tokens, int Sequence)[] parts)
        {
            batch.Clear();
            var input = new Span<float>(joint.Address, MaxTokens * Width);
            var output = new Span<float>(mixed.Address, MaxTokens * attention.QueryHeads * attention.HeadSize);
            output.Fill(float.NaN);
            foreach (var (tokens, sequence) in parts)
            {
                tokens.CopyTo(input[(batch.TokenCount * Width)..]);
                var table = tables[sequence];
                var first = table.Length;
                var count = tokens.Length / Width;
                Assert.That(table.TryExtend(first + count, out _), Is.True);
                batch.Add(new int[count], first, table, LogitRows.None, drawn: 0);
            }

            foreach (var operation in operations)
            {
                for (int item = 0, items = operation.Prepare(); item < items; item++)
                    operation.Run(item, 0);
            }

            var results = new float[parts.Length][];
            for (var i = 0; i < parts.Length; i++)
            {
                var width = attention.QueryHeads * attention.HeadSize;
                results[i] = output[(batch.SequenceStarts[i] * width)..(batch.SequenceStarts[i + 1] * width)].ToArray();
            }

            return results;
        }

        public void Dispose()
        {
            context.Dispose();
            cache.Dispose();
            rotary.Dispose();
            joint.Dispose();
            mixed.Dispose();
        }

        private Operation[] Bind<TSimd, TVector>(DataType cacheType)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct => cacheType switch
            {
                DataType.Float32 => Bind<TSimd, TVector, Float32Cache>(),
                DataType.BFloat16 => Bind<TSimd, TVector, BFloat16Cache>(),
                _ => Bind<TSimd, TVector, Float16Cache>(),
            };

        private Operation[] Bind<TSimd, TVector, TCache>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            where TCache : struct, ICacheFormat
        {
            var arguments = new AttentionArguments
            {
                Queries = (float*)joint.Address,
                QueryStride = Width,
                Y = (float*)mixed.Address,
                YStride = attention.QueryHeads * attention.HeadSize,
                Keys = cache.Keys(0),
                Values = cache.Values(0),
                Positions = (int*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(batch.Positions, 0),
                QueryHeads = attention.QueryHeads,
                KeyValueHeads = attention.KeyValueHeads,
                HeadSize = attention.HeadSize,
                ValueSize = attention.HeadSize,
                Scale = attention.Scale,
                LogScaleFrom = int.MaxValue,
                Window = attention.Window ?? int.MaxValue,
            };
            return
            [
                new RotaryCacheWriteOperation<TSimd, TVector, TCache>(
                    context, attention, rotary, null, (float*)joint.Address, Width, cache.Keys(0), cache.Values(0)),
                new AttentionOperation<TSimd, TVector, TCache>(context, Weft.Graph.AttentionMask.Causal, arguments),
            ];
        }
    }
}

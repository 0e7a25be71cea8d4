using System.Runtime.Intrinsics;
using Weft.Backends.Cpu;
using Weft.Backends.Cpu.Simd;
using Weft.Models;
using Weft.Reference;

namespace Weft.Runtime.Tests.Backends;

/// <summary>Every width gives what the plain definition gives, over all values where there are few enough of them.</summary>
[TestFixture]
public sealed unsafe class SimdTests
{
    [TestCase(InstructionSet.Scalar)]
    [TestCase(InstructionSet.Vector128)]
    [TestCase(InstructionSet.Vector256)]
    [TestCase(InstructionSet.Vector512)]
    public void Operations_match_their_definition(InstructionSet set)
    {
        if (!InstructionSets.IsSupported(set))
            Assert.Ignore($"this machine does not have {set.Name()}");
        switch (set)
        {
            case InstructionSet.Vector512:
                Check<Simd512, Vector512<float>>();
                break;
            case InstructionSet.Vector256:
                Check<Simd256, Vector256<float>>();
                break;
            case InstructionSet.Vector128:
                Check<Simd128, Vector128<float>>();
                break;
            default:
                Check<SimdScalar, float>();
                break;
        }
    }

    private static void Check<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var width = TSimd.Width;
        CheckSixteenBitLoads<TSimd, TVector>(width);
        CheckSixteenBitStores<TSimd, TVector>(width);
        CheckAcross<TSimd, TVector>(width);
        CheckMath<TSimd, TVector>(width);
    }

    private static void CheckSixteenBitLoads<TSimd, TVector>(int width)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var words = stackalloc ushort[2 * width];
        var result = stackalloc float[2 * width];
        for (var start = 0; start < 65536; start += 2 * width)
        {
            for (var i = 0; i < 2 * width; i++)
                words[i] = (ushort)(start + i);
            TSimd.Store(result, TSimd.EvenBFloat16(words));
            TSimd.Store(result + width, TSimd.OddBFloat16(words));
            for (var i = 0; i < 2 * width; i++)
                Same(result[(i / 2) + (i % 2 * width)], BitConverter.Int32BitsToSingle(words[i] << 16), words[i]);
            TSimd.Store(result, TSimd.LoadBFloat16(words));
            for (var i = 0; i < width; i++)
                Same(result[i], BitConverter.Int32BitsToSingle(words[i] << 16), words[i]);

            TSimd.Store(result, TSimd.EvenFloat16(words));
            TSimd.Store(result + width, TSimd.OddFloat16(words));
            for (var i = 0; i < 2 * width; i++)
                SameIfFinite(result[(i / 2) + (i % 2 * width)], words[i]);
            TSimd.Store(result, TSimd.LoadFloat16(words));
            for (var i = 0; i < width; i++)
                SameIfFinite(result[i], words[i]);
        }

        static void SameIfFinite(float actual, ushort word)
        {
            var expected = (float)BitConverter.UInt16BitsToHalf(word);
            if (float.IsFinite(expected))
                Same(actual, expected, word);
        }

        static void Same(float actual, float expected, ushort word)
        {
            if (BitConverter.SingleToUInt32Bits(actual) != BitConverter.SingleToUInt32Bits(expected))
                Assert.Fail($"0x{word:X4} became {actual:r} instead of {expected:r}");
        }
    }

    private static void CheckSixteenBitStores<TSimd, TVector>(int width)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var random = new Random(7);
        var values = stackalloc float[width];
        var words = stackalloc ushort[width];
        for (var round = 0; round < 40_000; round++)
        {
            for (var i = 0; i < width; i++)
                values[i] = Interesting(random, round + i);
            TSimd.StoreFloat16(words, TSimd.Load(values));
            for (var i = 0; i < width; i++)
            {
                var expected = BitConverter.HalfToUInt16Bits((Half)Math.Clamp(values[i], -65504f, 65504f));
                if (words[i] != expected)
                    Assert.Fail($"{values[i]:r} became 0x{words[i]:X4} as binary16 instead of 0x{expected:X4}");
            }

            TSimd.StoreBFloat16(words, TSimd.Load(values));
            for (var i = 0; i < width; i++)
            {
                var back = BitConverter.Int32BitsToSingle(words[i] << 16);
                var above = BitConverter.Int32BitsToSingle((words[i] + 1) << 16);
                var below = BitConverter.Int32BitsToSingle((words[i] - 1) << 16);
                var error = Math.Abs((double)values[i] - back);
                if (error > Math.Abs((double)values[i] - above) || error > Math.Abs((double)values[i] - below))
                    Assert.Fail($"{values[i]:r} became {back:r} as bfloat16, which is not the nearest");
            }
        }

        // Halves between two neighbours of either format (ties), subnormals, and values of every size.
        static float Interesting(Random random, int round) => (round % 4) switch
        {
            0 => (float)BitConverter.UInt16BitsToHalf((ushort)random.Next(0x7BFF)) * (random.Next(2) == 0 ? 1 : -1),
            1 => ((float)BitConverter.UInt16BitsToHalf((ushort)(round % 0x7BFE)) + (float)BitConverter.UInt16BitsToHalf((ushort)((round % 0x7BFE) + 1))) / 2,
            2 => (float)((random.NextDouble() - 0.5) * Math.Pow(2, random.Next(-30, 20))),
            _ => BitConverter.Int32BitsToSingle((random.Next(0x100, 0x7F00) << 16) | 0x8000),
        };
    }

    private static void CheckAcross<TSimd, TVector>(int width)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var values = stackalloc float[4 * width];
        var split = stackalloc float[2 * width];
        for (var i = 0; i < 4 * width; i++)
            values[i] = (i * 37 % 64) - 20;
        var sums = TSimd.Sum4(
            TSimd.Load(values), TSimd.Load(values + width), TSimd.Load(values + (2 * width)), TSimd.Load(values + (3 * width)));
        for (var j = 0; j < 4; j++)
        {
            var span = new ReadOnlySpan<float>(values + (j * width), width).ToArray();
            Assert.That(sums[j], Is.EqualTo(span.Sum()));
            Assert.That(TSimd.Sum(TSimd.Load(values + (j * width))), Is.EqualTo(span.Sum()));
            Assert.That(TSimd.MaxAcross(TSimd.Load(values + (j * width))), Is.EqualTo(span.Max()));
        }

        TSimd.Deinterleave(values, split);
        for (var i = 0; i < 2 * width; i++)
            Assert.That(split[(i / 2) + (i % 2 * width)], Is.EqualTo(values[i]));
    }

    private static void CheckMath<TSimd, TVector>(int width)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var x = stackalloc float[width];
        var y = stackalloc float[width];
        for (var start = -100.0; start < 100; start += width * 0.0037)
        {
            for (var i = 0; i < width; i++)
                x[i] = (float)(start + (i * 0.0037));
            TSimd.Store(y, VectorMath<TSimd, TVector>.Exp(TSimd.Load(x)));
            for (var i = 0; i < width; i++)
                Near(y[i], Math.Exp(Math.Clamp(x[i], -87.0, 88.0)), 3e-7, 0, x[i], "exp");
            TSimd.Store(y, VectorMath<TSimd, TVector>.Silu(TSimd.Load(x)));
            for (var i = 0; i < width; i++)
                Near(y[i], ReferenceActivation.Apply(Activation.Silu, x[i]), 1e-6, 1e-7, x[i], "silu");
            TSimd.Store(y, VectorMath<TSimd, TVector>.GeluTanh(TSimd.Load(x)));
            for (var i = 0; i < width; i++)
                Near(y[i], ReferenceActivation.Apply(Activation.GeluTanh, x[i]), 1e-6, 1e-7, x[i], "gelu (tanh)");
            TSimd.Store(y, VectorMath<TSimd, TVector>.Gelu(TSimd.Load(x)));
            for (var i = 0; i < width; i++)
                Near(y[i], ReferenceActivation.Apply(Activation.Gelu, x[i]), 1e-6, 1e-7, x[i], "gelu");
        }

        static void Near(float actual, double expected, double relative, double absolute, float at, string name)
        {
            if (!(Math.Abs(actual - expected) <= (relative * Math.Abs(expected)) + absolute))
                Assert.Fail($"{name}({at:r}) is {actual:r} instead of {expected:r}");
        }
    }
}

using System.Runtime.Intrinsics;

namespace Weft.Backends.Cpu.Simd;

/// <summary>
/// The vector operations that the CPU kernels are written in. Kernels are generic over an implementation, so that one text
/// serves AVX-512, AVX2, 128-bit vectors (NEON, SSE) and plain scalars; the JIT compiles one body per width.
/// </summary>
/// <typeparam name="TVector">A register of <see cref="Width"/> floats.</typeparam>
/// <remarks>
/// 16-bit weights are read as <see cref="Width"/> 32-bit words of two elements each: the even elements are the low halves, the
/// odd ones the high halves. Unpacking in order would cost shuffles; kernels instead order the activations to match
/// (<see cref="Deinterleave"/>), once per product.
/// </remarks>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Floats in a register.</summary>
    static abstract int Width { get; }

    /// <summary>Tokens in a matrix-product tile of four rows: as many as the registers hold accumulators for.</summary>
    static abstract int TokensPerTile { get; }

    static abstract TVector Zero { get; }

    static abstract TVector Broadcast(float value);

    static abstract TVector Load(float* source);

    static abstract void Store(float* destination, TVector value);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    /// <summary>a · b + c, rounded once where the hardware can.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    static abstract TVector Max(TVector a, TVector b);

    static abstract TVector Min(TVector a, TVector b);

    static abstract TVector Floor(TVector a);

    /// <summary>2ⁿ for whole n in [−126, 127].</summary>
    static abstract TVector PowerOfTwo(TVector n);

    static abstract float Sum(TVector value);

    /// <summary>The sums of four registers, as one vector of four.</summary>
    static abstract Vector128<float> Sum4(TVector a, TVector b, TVector c, TVector d);

    static abstract float MaxAcross(TVector value);

    /// <summary>The even elements of 2·Width bfloat16 values.</summary>
    static abstract TVector EvenBFloat16(ushort* source);

    /// <summary>The odd elements of 2·Width bfloat16 values.</summary>
    static abstract TVector OddBFloat16(ushort* source);

    /// <summary>The even elements of 2·Width finite binary16 values.</summary>
    static abstract TVector EvenFloat16(ushort* source);

    /// <summary>The odd elements of 2·Width finite binary16 values.</summary>
    static abstract TVector OddFloat16(ushort* source);

    /// <summary>Width bfloat16 values in order.</summary>
    static abstract TVector LoadBFloat16(ushort* source);

    /// <summary>Width finite binary16 values in order.</summary>
    static abstract TVector LoadFloat16(ushort* source);

    /// <summary>Rounds to bfloat16, ties to even.</summary>
    static abstract void StoreBFloat16(ushort* destination, TVector value);

    /// <summary>Rounds to binary16, ties to even; beyond the range it saturates to ±65504, which keeps a cache finite.</summary>
    static abstract void StoreFloat16(ushort* destination, TVector value);

    /// <summary>Splits 2·Width floats into the even ones, then the odd ones.</summary>
    static abstract void Deinterleave(float* source, float* destination);

    /// <summary>Asks the caches for the line at <paramref name="address"/>, which need not be mapped.</summary>
    static abstract void Prefetch(byte* address);
}

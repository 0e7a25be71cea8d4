using System.Runtime.CompilerServices;

namespace Weft.Backends.Cpu.Simd;

/// <summary>An activation as a type, so that a loop over registers holds one of them alone.</summary>
internal interface IActivationFunction
{
    /// <summary>Its value for each lane.</summary>
    static abstract TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

/// <summary>x · sigmoid(x).</summary>
internal readonly struct SiluFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => VectorMath<TSimd, TVector>.Silu(x);
}

/// <summary>x · Φ(x).</summary>
internal readonly struct GeluFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => VectorMath<TSimd, TVector>.Gelu(x);
}

/// <summary>x · Φ(x) by tanh.</summary>
internal readonly struct GeluTanhFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => VectorMath<TSimd, TVector>.GeluTanh(x);
}

/// <summary>max(x, 0)².</summary>
internal readonly struct ReluSquaredFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Multiply(TSimd.Max(x, TSimd.Zero), TSimd.Max(x, TSimd.Zero));
}

/// <summary>x · sigmoid(1.702·x).</summary>
internal readonly struct QuickGeluFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => VectorMath<TSimd, TVector>.QuickGelu(x);
}

/// <summary>max(x, 0).</summary>
internal readonly struct ReluFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Max(x, TSimd.Zero);
}

/// <summary>1 / (1 + e⁻ˣ).</summary>
internal readonly struct SigmoidFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => VectorMath<TSimd, TVector>.Sigmoid(x);
}

/// <summary>The hyperbolic tangent.</summary>
internal readonly struct TanhFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Apply<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => VectorMath<TSimd, TVector>.Tanh(x);
}

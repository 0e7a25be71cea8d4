using System.Runtime.CompilerServices;

namespace Weft.Backends.Cpu.Simd;

/// <summary>Transcendental functions over a register, good to about one unit in the last place.</summary>
internal static class VectorMath<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>eˣ: x = n·ln 2 + r with |r| ≤ ln 2 / 2, then a polynomial in r and the exponent bits of n. Saturates instead of overflowing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp(TVector x)
    {
        x = TSimd.Max(TSimd.Min(x, TSimd.Broadcast(88.0f)), TSimd.Broadcast(-87.0f));
        var n = TSimd.Floor(TSimd.MultiplyAdd(x, TSimd.Broadcast(1.44269504f), TSimd.Broadcast(0.5f)));
        // ln 2 in two parts: the first has few bits, so that its product with n is exact.
        var r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-0.693359375f), x);
        r = TSimd.MultiplyAdd(n, TSimd.Broadcast(2.12194440e-4f), r);
        // Taylor coefficients 1/k!: at |r| ≤ 0.347 the first one left out is below half a unit in the last place.
        var p = TSimd.Broadcast(1f / 5040);
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 720));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 120));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 24));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 6));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 2));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f));
        return TSimd.Multiply(p, TSimd.PowerOfTwo(n));
    }

    /// <summary>x · sigmoid(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Silu(TVector x)
    {
        var one = TSimd.Broadcast(1f);
        return TSimd.Divide(x, TSimd.Add(one, Exp(TSimd.Subtract(TSimd.Zero, x))));
    }

    /// <summary>1 / (1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sigmoid(TVector x)
    {
        var one = TSimd.Broadcast(1f);
        return TSimd.Divide(one, TSimd.Add(one, Exp(TSimd.Subtract(TSimd.Zero, x))));
    }

    /// <summary>x · sigmoid(1.702·x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector QuickGelu(TVector x) =>
        TSimd.Divide(x, TSimd.Add(TSimd.Broadcast(1f), Exp(TSimd.Multiply(x, TSimd.Broadcast(-1.702f)))));

    /// <summary>tanh(x) = 1 − 2/(1 + e²ˣ); its error is absolute, about 1e−7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Tanh(TVector x)
    {
        var one = TSimd.Broadcast(1f);
        return TSimd.Subtract(one, TSimd.Divide(TSimd.Broadcast(2f), TSimd.Add(one, Exp(TSimd.Add(x, x)))));
    }

    /// <summary>x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))), with tanh(u) = 1 − 2/(1 + e²ᵘ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector GeluTanh(TVector x)
    {
        var one = TSimd.Broadcast(1f);
        var inner = TSimd.Multiply(x, TSimd.MultiplyAdd(TSimd.Multiply(x, x), TSimd.Broadcast(0.044715f), one));
        // x/2 · (1 + tanh u) = x · sigmoid(2u).
        var twice = TSimd.Multiply(inner, TSimd.Broadcast(-2 * 0.7978845608f));
        return TSimd.Divide(x, TSimd.Add(one, Exp(twice)));
    }

    /// <summary>
    /// x · Φ(x) with Φ(x) = erfc(−x/√2)/2, by the Chebyshev fit of erfc in Numerical Recipes (§6.2, relative error below 1.2e−7).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Gelu(TVector x)
    {
        var one = TSimd.Broadcast(1f);
        var half = TSimd.Broadcast(0.5f);
        var z = TSimd.Multiply(TSimd.Max(x, TSimd.Subtract(TSimd.Zero, x)), TSimd.Broadcast(0.70710678f));
        var t = TSimd.Divide(one, TSimd.MultiplyAdd(z, half, one));
        var p = TSimd.Broadcast(0.17087277f);
        p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(-0.82215223f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(1.48851587f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(-1.13520398f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(0.27886807f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(-0.18628806f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(0.09678418f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(0.37409196f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(1.00002368f));
        p = TSimd.MultiplyAdd(p, t, TSimd.Broadcast(-1.26551223f));
        var tail = TSimd.Multiply(TSimd.Multiply(t, half), Exp(TSimd.Subtract(p, TSimd.Multiply(z, z))));
        // tail = Φ(−|x|): for x ≥ 0, x·Φ(x) = x − x·tail; for x < 0 it is x·tail. Both are max(x, 0) − |x|·tail.
        var magnitude = TSimd.Max(x, TSimd.Subtract(TSimd.Zero, x));
        return TSimd.Subtract(TSimd.Max(x, TSimd.Zero), TSimd.Multiply(magnitude, tail));
    }
}

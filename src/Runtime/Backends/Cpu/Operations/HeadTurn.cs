using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.Operations;

/// <summary>Rotary embedding of one head.</summary>
internal static unsafe class HeadTurn<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>(x₀, x₁) turns to (x₀·cos − x₁·sin, x₁·cos + x₀·sin), x₀ and x₁ being the halves of the part of a head that turns.</summary>
    [MethodImpl(Hot.Path)]
    public static void Apply(float* x, float* angles, int half)
    {
        var i = 0;
        for (; i + TSimd.Width <= half; i += TSimd.Width)
        {
            var cos = TSimd.Load(angles + i);
            var sin = TSimd.Load(angles + half + i);
            var a = TSimd.Load(x + i);
            var b = TSimd.Load(x + half + i);
            TSimd.Store(x + i, TSimd.Subtract(TSimd.Multiply(a, cos), TSimd.Multiply(b, sin)));
            TSimd.Store(x + half + i, TSimd.Add(TSimd.Multiply(b, cos), TSimd.Multiply(a, sin)));
        }

        for (; i < half; i++)
        {
            var (a, b) = (x[i], x[half + i]);
            x[i] = (a * angles[i]) - (b * angles[half + i]);
            x[half + i] = (b * angles[i]) + (a * angles[half + i]);
        }
    }
}

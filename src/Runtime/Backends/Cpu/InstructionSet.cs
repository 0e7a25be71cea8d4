using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu.Words;

namespace Weft.Backends.Cpu;

/// <summary>Which vectors the CPU kernels use.</summary>
public enum InstructionSet
{
    /// <summary>One float at a time.</summary>
    Scalar,

    /// <summary>128-bit vectors: NEON or SSE.</summary>
    Vector128,

    /// <summary>256-bit vectors with fused multiply-add: AVX2.</summary>
    Vector256,

    /// <summary>512-bit vectors: AVX-512.</summary>
    Vector512,

    /// <summary>512-bit vectors, and their dot product of bytes for products with int4 and int8: AVX-512 VNNI.</summary>
    Vnni,

    /// <summary>512-bit vectors, and tiles for products with int4 and int8: AVX-512 and AMX.</summary>
    Amx,
}

/// <summary>What this machine can run.</summary>
public static class InstructionSets
{
    /// <summary>The widest set that this machine runs in hardware.</summary>
    public static InstructionSet Best =>
        IsSupported(InstructionSet.Amx) ? InstructionSet.Amx
        : IsSupported(InstructionSet.Vnni) ? InstructionSet.Vnni
        : IsSupported(InstructionSet.Vector512) ? InstructionSet.Vector512
        : IsSupported(InstructionSet.Vector256) ? InstructionSet.Vector256
        : IsSupported(InstructionSet.Vector128) ? InstructionSet.Vector128
        : InstructionSet.Scalar;

    /// <summary>Whether this machine runs <paramref name="set"/> in hardware.</summary>
    public static bool IsSupported(InstructionSet set) => set switch
    {
        InstructionSet.Amx => IsSupported(InstructionSet.Vnni) && TileUnit.IsSupported,
        InstructionSet.Vnni => IsSupported(InstructionSet.Vector512) && DotProducts.IsSupported,
        InstructionSet.Vector512 => Vector512.IsHardwareAccelerated && Avx512F.IsSupported,
        InstructionSet.Vector256 => Vector256.IsHardwareAccelerated && Avx2.IsSupported && Fma.IsSupported,
        InstructionSet.Vector128 => Vector128.IsHardwareAccelerated,
        _ => true,
    };

    /// <summary>Whether activations that meet int4 and int8 weights are rounded to 16 bits, not 8.</summary>
    public static bool HasWords(this InstructionSet set) => set is InstructionSet.Vnni or InstructionSet.Amx;

    /// <summary>The set's usual name on this kind of processor.</summary>
    public static string Name(this InstructionSet set) => set switch
    {
        InstructionSet.Amx => "AMX",
        InstructionSet.Vnni => "AVX-512 VNNI",
        InstructionSet.Vector512 => "AVX-512",
        InstructionSet.Vector256 => "AVX2",
        InstructionSet.Vector128 => Sse2.IsSupported ? "SSE" : "NEON",
        _ => "scalar",
    };
}

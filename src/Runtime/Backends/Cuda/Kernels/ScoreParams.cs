using System.Runtime.InteropServices;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Bits of kernels/common/attention_variant.cuh.</summary>
[Flags]
internal enum AttentionVariant
{
    /// <summary>Everything is seen.</summary>
    Full = 0,

    /// <summary>Positions up to its own.</summary>
    Causal = 1,

    /// <summary>With <see cref="Causal"/>: also all of the sequence's prefix.</summary>
    Prefix = 2,

    /// <summary>At most a window of positions.</summary>
    Window = 4,

    /// <summary>A slope a head times the distance.</summary>
    Alibi = 8,

    /// <summary>cap · tanh(score / cap).</summary>
    SoftCap = 16,

    /// <summary>One more logit a head.</summary>
    Sinks = 32,

    /// <summary>A learned bias by distance.</summary>
    Distances = 64,
}

/// <summary>Twin of ScoreParams in kernels/common/attention_variant.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ScoreParams
{
    public nuint PrefixLengths;
    public nuint Slopes;
    public nuint Sinks;
    public nuint DistanceBias;
    public float Scale;
    public float SoftCap;
    public int Window;
    public int MaxDistance;
}

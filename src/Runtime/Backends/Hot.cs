using System.Runtime.CompilerServices;

namespace Weft.Backends;

/// <summary>How methods are compiled that take nearly all of a step's time.</summary>
internal static class Hot
{
    /// <summary>
    /// In full at the first call: with tiered compilation the first prompt of a small model ran at a tenth of its speed. A program that is compiled
    /// ahead of time has no tiers to skip, and would be left without methods that ask for this.
    /// </summary>
    public const MethodImplOptions Path =
#if AHEAD_OF_TIME
        default;
#else
        MethodImplOptions.AggressiveOptimization;
#endif
}

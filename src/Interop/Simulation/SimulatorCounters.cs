using System.Runtime.InteropServices;

namespace Weft.Interop;

/// <summary>
/// What kernels did on the software device. Twin of Counters in simulator/src/counters.h. The host's compiler decides what is a load of
/// its own: figures compare with each other, not with a GPU's to the last one.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct SimulatorCounters
{
    /// <summary>Bytes of device memory that lanes asked for.</summary>
    public readonly ulong GlobalBytes;

    /// <summary>Sectors of 32 bytes that the accesses of warps touched.</summary>
    public readonly ulong GlobalSectors;

    /// <summary>Passes that shared memory took.</summary>
    public readonly ulong SharedPasses;

    /// <summary>Passes beyond the fewest.</summary>
    public readonly ulong BankConflicts;

    /// <summary>Barriers of blocks.</summary>
    public readonly ulong Barriers;

    /// <summary>Basic blocks that warps went through.</summary>
    public readonly ulong WarpSteps;

    /// <summary>Basic blocks that lanes went through: 32 for each of a warp's where they agree.</summary>
    public readonly ulong LaneSteps;

    /// <summary>Of tensor cores.</summary>
    public readonly ulong TensorOperations;

    /// <summary>Of the ordinary units, in float32.</summary>
    public readonly ulong FloatOperations;
}

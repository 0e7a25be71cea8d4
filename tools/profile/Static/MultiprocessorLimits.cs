using Weft.Interop;

namespace Weft.Profile.Static;

/// <summary>What keeps more blocks from a multiprocessor.</summary>
internal enum OccupancyLimit
{
    /// <summary>Threads or blocks: there is room for no more.</summary>
    Threads,

    /// <summary>Registers.</summary>
    Registers,

    /// <summary>Shared memory.</summary>
    SharedMemory,
}

/// <summary>What a multiprocessor holds at once (CUDA C++ Programming Guide, "Compute Capabilities").</summary>
/// <param name="Warps">Most warps.</param>
/// <param name="Blocks">Most blocks.</param>
/// <param name="SharedBytes">Shared memory of all blocks.</param>
/// <param name="SharedBytesPerBlock">Most shared memory of one.</param>
/// <param name="ReservedBytes">Shared memory that the system keeps for each block.</param>
/// <param name="SharedUnit">Shared memory is given out in multiples of this.</param>
internal sealed record MultiprocessorLimits(int Warps, int Blocks, int SharedBytes, int SharedBytesPerBlock, int ReservedBytes, int SharedUnit)
{
    private const int Registers = 65536;
    private const int RegisterUnit = 256; // of a warp
    private const int WarpUnit = 4; // one for each scheduler
    private const int WarpSize = 32;

    /// <summary>The limits of a compute capability.</summary>
    public static MultiprocessorLimits Of(int computeCapability) => computeCapability switch
    {
        < 80 => new(32, 16, 64 << 10, 64 << 10, 0, 256),
        80 => new(64, 32, 164 << 10, 163 << 10, 1 << 10, 128),
        86 => new(48, 16, 100 << 10, 99 << 10, 1 << 10, 128),
        89 => new(48, 24, 100 << 10, 99 << 10, 1 << 10, 128),
        _ => new(64, 32, 228 << 10, 227 << 10, 1 << 10, 128),
    };

    /// <summary>Blocks at once and the share of the warps that they make, 0 to 1: theoretical occupancy.</summary>
    public (int Blocks, double Occupancy, OccupancyLimit Limit) Occupancy(LaunchShape launch, int registers)
    {
        var warps = (launch.BlockX + WarpSize - 1) / WarpSize;
        var byThreads = Math.Min(Warps / warps, Blocks);
        var registersOfWarp = RoundUp(Math.Max(registers, 1) * WarpSize, RegisterUnit);
        var byRegisters = Registers / registersOfWarp / WarpUnit * WarpUnit / warps;
        var shared = RoundUp(launch.SharedBytes + ReservedBytes, SharedUnit);
        var byShared = shared == 0 ? byThreads : SharedBytes / shared;
        var blocks = Math.Min(byThreads, Math.Min(byRegisters, byShared));
        var limit = blocks == byThreads ? OccupancyLimit.Threads : blocks == byRegisters ? OccupancyLimit.Registers : OccupancyLimit.SharedMemory;
        return (blocks, (double)blocks * warps / Warps, limit);
    }

    private static int RoundUp(int value, int unit) => (value + unit - 1) / unit * unit;
}

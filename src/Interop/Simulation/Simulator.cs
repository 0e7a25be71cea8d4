using System.Runtime.InteropServices;
using Weft.Interop.Libraries;

namespace Weft.Interop;

/// <summary>Controls of the software device. Only while <see cref="CudaPlatform.Simulator"/> is selected.</summary>
public static partial class Simulator
{
    /// <summary>Shuffles the order in which warps and lanes run.</summary>
    public static void SetSeed(ulong seed) => cudasimSetSeed(seed);

    /// <summary>Makes one call of a function fail: the one after <paramref name="afterCalls"/> more.</summary>
    /// <param name="function">Its name in the library: <c>cuMemAlloc_v2</c>.</param>
    /// <param name="status">What it returns then.</param>
    /// <param name="afterCalls">Calls that still work.</param>
    public static void InjectFault(string function, int status, int afterCalls = 0) => cudasimInjectFault(function, status, afterCalls);

    /// <summary>Takes back all faults that have not happened yet.</summary>
    public static void ClearFaults() => cudasimClearFaults();

    /// <summary>An option of the simulated NVRTC: the image counts what its kernels do.</summary>
    public const string CountersOption = "--software-device-counters";

    /// <summary>What launches of kernels with counters did since the last call.</summary>
    public static SimulatorCounters ReadCounters()
    {
        cudasimReadCounters(out var counters);
        return counters;
    }

    [LibraryImport(NativeLibraryName.SimulatorKey)]
    private static partial void cudasimReadCounters(out SimulatorCounters counters);

    [LibraryImport(NativeLibraryName.SimulatorKey)]
    private static partial void cudasimSetSeed(ulong seed);

    [LibraryImport(NativeLibraryName.SimulatorKey, StringMarshalling = StringMarshalling.Utf8)]
    private static partial void cudasimInjectFault(string function, int status, int after);

    [LibraryImport(NativeLibraryName.SimulatorKey)]
    private static partial void cudasimClearFaults();
}

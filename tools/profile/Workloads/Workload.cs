using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Profile.Gpu;

namespace Weft.Profile.Workloads;

/// <summary>Submits launch number <paramref name="turn"/> of a workload: turns rotate its inputs.</summary>
internal delegate void Launcher(CudaKernel kernel, CudaStream stream, int turn);

/// <summary>
/// One kernel instance at one shape of a real model: what every profile of kernels goes through, whether it counts, times or only
/// reckons.
/// </summary>
/// <param name="Kernel">Name for people, alike on every architecture.</param>
/// <param name="Shape">Sizes, for people.</param>
/// <param name="Instance">What runs.</param>
/// <param name="Launch">Its geometry.</param>
/// <param name="Bytes">Fewest bytes of device memory that it must move.</param>
/// <param name="Operations">Operations of tensor cores that it must do.</param>
/// <param name="PlainOperations">Floating-point operations of the ordinary units that it must do.</param>
/// <param name="Bind">Makes its operands.</param>
internal sealed record Workload(
    string Kernel, string Shape, KernelInstance Instance, LaunchShape Launch, double Bytes, double Operations, double PlainOperations,
    Func<Operands, Launcher> Bind)
{
    /// <summary>The same work for PyTorch; null when it has no counterpart.</summary>
    public PeerWork? Peer { get; init; }

    /// <summary>A workload whose launches differ in their parameters only.</summary>
    /// <typeparam name="TParameters">Twin of the kernel's struct.</typeparam>
    public static Workload Of<TParameters>(
        string kernel, string shape, KernelInstance instance, LaunchShape launch, double bytes, double operations, double plainOperations,
        Func<Operands, Func<int, TParameters>> parameters)
        where TParameters : unmanaged =>
        new(kernel, shape, instance, launch, bytes, operations, plainOperations, operands =>
        {
            var ofTurn = parameters(operands);
            return (loaded, stream, turn) => loaded.Launch(stream, launch, ofTurn(turn));
        });
}

/// <summary>What a workload's instance and geometry depend on.</summary>
/// <param name="ComputeCapability">90 for 9.0.</param>
/// <param name="Multiprocessors">How many.</param>
/// <param name="SharedMemoryPerBlock">Bytes that a block may ask for.</param>
internal readonly record struct WorkloadTarget(int ComputeCapability, int Multiprocessors, int SharedMemoryPerBlock);

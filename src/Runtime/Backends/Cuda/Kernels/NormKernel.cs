using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Which statistics a norm takes.</summary>
internal enum NormForm
{
    /// <summary>Root mean square.</summary>
    Rms,

    /// <summary>Mean and variance.</summary>
    Layer,
}

/// <summary>Twin of NormParams in kernels/norm.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NormParams
{
    public nuint X;
    public nuint Delta;
    public nuint Weight;
    public nuint Bias;
    public nuint Y;
    public nuint Low;
    public nuint Drawn;
    public nuint Scales;
    public int Width;
    public int XStride;
    public int DeltaStride;
    public int YStride;
    public float Epsilon;
    public float WeightOffset;
    public int Parts;
}

/// <summary>kernels/norm.cu.</summary>
internal static class NormKernel
{
    private const int Threads = 256;
    private const int Warps = Threads / 32;

    /// <summary>The statistics of a norm.</summary>
    public static NormForm Form(NormDescription norm) => norm.Kind == NormKind.Rms ? NormForm.Rms : NormForm.Layer;

    /// <summary>An instance.</summary>
    /// <param name="form">Statistics.</param>
    /// <param name="x">Type of the input.</param>
    /// <param name="y">Type of the output; null for int8 with a scale a row.</param>
    /// <param name="delta">Type of what is added to x first; null for nothing.</param>
    public static KernelInstance Instance(NormForm form, DataType x, DataType? y, DataType? delta = null) => new(
        "norm.cu",
        $"weft::norm<weft::{form},{x.CudaName()},{y?.CudaName() ?? "weft::Quantized"},{delta?.CudaName() ?? "weft::None"}>");

    /// <summary>One block a row or part of a row, which lies in shared memory.</summary>
    public static LaunchShape Shape(int rows, int width) => new(rows, 1, 1, Threads, (Warps + ((width + 7) / 8 * 8)) * sizeof(float));

    /// <summary>Every combination of 16-bit types that a model can ask for.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from form in Enum.GetValues<NormForm>()
        from type in ElementType.Halves
        from instance in (KernelInstance[])
        [
            Instance(form, DataType.Float32, type),
            Instance(form, DataType.Float32, type, type),
            Instance(form, DataType.Float32, DataType.Float32),
            Instance(form, DataType.Float32, null),
            Instance(form, type, type),
        ]
        select instance;
}

using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>What operations of one program share.</summary>
internal sealed class CudaProgramContext(
    CudaContext context, CudaStream stream, KernelLibrary kernels, CudaBlas blas, DeviceBatch batch, DeviceStates states, ValueLayout layout, bool isBatchInvariant, Func<Value, nuint> address)
{
    public CudaStream Stream => stream;

    public DeviceBatch Batch => batch;

    /// <summary>Of the recurrent blocks.</summary>
    public DeviceStates States => states;

    public ValueLayout Layout => layout;

    public DataType Type => layout.Type;

    /// <summary>Of attention.</summary>
    public AttentionTypes AttentionTypes => layout.AttentionTypes;

    /// <summary>A row's bits do not depend on how many rows there are: <see cref="CudaOptions.BatchInvariant"/>.</summary>
    public bool IsBatchInvariant => isBatchInvariant;

    public CudaDeviceInfo Device => context.Device;

    /// <summary>Where a value lies.</summary>
    public nuint Address(Value value) => address(value);

    /// <summary>Rows of a value in a step.</summary>
    public static int Rows(in StepShape shape, Value value) => value.Rows == Graph.Rows.Logits ? shape.LogitRows : shape.Tokens;

    /// <summary>Kernels and products submitted so far, in graphs or not; replays of a graph do not add to it.</summary>
    public long Launches { get; private set; }

    /// <summary>Submits a dense product.</summary>
    public void Multiply(in ProductShape shape, in ProductOperands operands)
    {
        Launches++;
        blas.Multiply(stream, shape, operands);
    }

    /// <summary>Submits an activation of the first <paramref name="outputs"/> of each row of <paramref name="y"/>, in place.</summary>
    /// <param name="kernel">Of <see cref="ActivationKernel"/>; gated, it reads as many behind them, too.</param>
    /// <param name="y">Rows.</param>
    /// <param name="rows">N.</param>
    /// <param name="outputs">Of a row.</param>
    public void Activate(KernelInstance kernel, Value y, int rows, int outputs) => Launch(kernel, ActivationKernel.Shape(rows, outputs), new ActivationParams
    {
        X = Address(y),
        Y = Address(y),
        Rows = rows,
        Width = outputs,
        XStride = ValueLayout.Stride(y),
        YStride = ValueLayout.Stride(y),
    });

    /// <summary>Submits a kernel of the step; on hardware that can, it begins while the one before it ends.</summary>
    public void Launch<TParameters>(KernelInstance instance, in LaunchShape shape, in TParameters parameters)
        where TParameters : unmanaged
    {
        Launches++;
        kernels.Get(instance).Launch(stream, shape, parameters, Device.Major >= 9 ? LaunchOrder.Overlapping : LaunchOrder.Sequential);
    }
}

/// <summary>One bound node: submits its launches for a step.</summary>
internal abstract class CudaOperation(CudaProgramContext context)
{
    protected CudaProgramContext Context { get; } = context;

    /// <summary>Kernels that every step may need, to be compiled together before the first.</summary>
    public abstract IEnumerable<KernelInstance> Kernels { get; }

    /// <summary>Submits the launches of a step of this shape.</summary>
    public abstract void Run(in StepShape shape);
}

using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>
/// <see cref="FusedLinearNode"/>, with the norm in front of it: one launch of our own for few rows, which reads every weight once; the norm,
/// cuBLAS and the gate for many.
/// </summary>
internal sealed class LinearOperation : ProductOperation
{
    private readonly DeviceMatrix weight;
    private readonly int sets;

    public LinearOperation(CudaProgramContext context, FusedLinearNode node, InputNorm? norm, DeviceMatrix weight, DeviceBias bias)
        : base(context, node, norm, bias)
    {
        this.weight = weight;
        sets = GemvKernel.Sets(Outputs, context.Device.Multiprocessors);
    }

    public override IEnumerable<KernelInstance> Kernels
    {
        get
        {
            if (Fits(1))
                yield return Gemv;
            if (Norm is not null)
                yield return Norm.Kernel;
            if (Node.Gate is { } gate)
                yield return ActivationKernel.Gated(Context.Type, gate);
        }
    }

    // Of a gated product, gate and up give one output together.
    private int Outputs => Node.Gate is null ? weight.Rows : weight.Rows / 2;

    private GemvInput Input => Norm is null ? GemvInput.PlainInput : GemvInput.RmsInput;

    private KernelInstance Gemv =>
        Node.Gate is { } gate ? GemvKernel.Gated(Context.Type, Input, gate) : GemvKernel.Instance(Context.Type, sets, Input, Output);

    public override void Run(in StepShape shape)
    {
        var rows = CudaProgramContext.Rows(shape, Node.Y);
        if (rows == 0)
            return;
        if (Fits(rows))
            RunFew(rows);
        else
            RunMany(rows);
    }

    private bool Fits(int rows) => GemvKernel.Fits(rows, weight.Columns, Input, Context.Device.SharedMemoryPerBlock);

    private void RunFew(int rows)
    {
        var x = Norm?.X ?? Node.X;
        var multiprocessors = Context.Device.Multiprocessors;
        var shape = Node.Gate is null
            ? GemvKernel.Shape(rows, Outputs, weight.Columns, sets, Input, multiprocessors)
            : GemvKernel.GatedShape(rows, Outputs, weight.Columns, Input, multiprocessors);
        Context.Launch(Gemv, shape, new GemvParams
        {
            X = Context.Address(x),
            Weight = weight.Address,
            Bias = Bias.Float32,
            NormWeight = Norm?.Weight ?? 0,
            Y = Context.Address(Node.Y),
            Rows = rows,
            Outputs = Outputs,
            Inner = weight.Columns,
            XStride = ValueLayout.Stride(x),
            WStride = weight.Stride,
            YStride = ValueLayout.Stride(Node.Y),
            Epsilon = Norm?.Epsilon ?? 0,
        });
    }

    private void RunMany(int rows)
    {
        Norm?.Run(rows);
        Multiply(rows, weight, 0);
        if (Node.Gate is { } gate)
            Gate(rows, gate, Outputs);
    }
}

using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>
/// <see cref="FusedLinearNode"/>, with the norm in front of it: one launch of our own for few rows, which reads every weight once; for many, the
/// norm and a product of our own in the same order of sums, or where the batch may matter, cuBLAS and the gate.
/// </summary>
internal sealed class LinearOperation : ProductOperation
{
    private readonly DeviceMatrix weight;
    private readonly int sets;

    public LinearOperation(CudaProgramContext context, FusedLinearNode node, InputNorm? norm, DeviceMatrix weight, DeviceBias bias, ProductWorkspace workspace)
        : base(context, node, norm, bias, workspace)
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
            if (Node.Epilogue is { } activation)
                yield return ActivationKernel.Plain(OutputType, activation);
            if (Context.IsBatchInvariant)
            {
                foreach (var rows in GemmKernel.Widths)
                    yield return Gemm(rows);
            }
            else if (Node.Gate is { } gate)
            {
                yield return ActivationKernel.Gated(Context.Type, gate);
            }
        }
    }

    // Of a gated product, gate and up give one output together.
    private int Outputs => Node.Gate is null ? weight.Rows : weight.Rows / 2;

    private GemvInput Input => Norm is null ? GemvInput.PlainInput : GemvInput.RmsInput;

    private int Parts => GemvKernel.Parts(Context.Type, Input);

    private KernelInstance Gemv =>
        Node.Gate is { } gate ? GemvKernel.Gated(Context.Type, Input, gate) : GemvKernel.Instance(Context.Type, sets, Input, Output);

    private KernelInstance Gemm(int rows) =>
        Node.Gate is { } gate ? GemmKernel.Gated(Context.Type, rows, Parts, gate) : GemmKernel.Instance(Context.Type, rows, Parts, Output);

    public override void Run(in StepShape shape)
    {
        var rows = CudaProgramContext.Rows(shape, Node.Y);
        if (rows == 0)
            return;
        if (Fits(rows))
            RunFew(rows);
        else
            RunMany(rows);
        Activate(rows);
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
            Drawn = Norm?.Drawn ?? 0,
            Y = ResultAddress(0),
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
        if (!Context.IsBatchInvariant)
        {
            Norm?.Run(rows);
            Multiply(rows, weight, 0);
            if (Node.Gate is { } gate)
                Gate(rows, gate, Outputs);
            return;
        }

        var low = Parts == 2 ? Workspace.Input : 0;
        Norm?.Run(rows, low);
        Context.Launch(Gemm(rows), GemmKernel.Shape(rows, Parts, Outputs, Node.Gate is not null, Context.Device.Multiprocessors), new GemmParams
        {
            X = Context.Address(Node.X),
            Low = low,
            Drawn = Norm?.Drawn ?? 0,
            Weight = weight.Address,
            Bias = Bias.Float32,
            Y = ResultAddress(0),
            Partial = Workspace.Numbers,
            Counters = Workspace.Counters,
            Rows = rows,
            Outputs = Outputs,
            Inner = weight.Columns,
            XStride = ValueLayout.Stride(Node.X),
            WStride = weight.Stride,
            YStride = ValueLayout.Stride(Node.Y),
        });
    }
}

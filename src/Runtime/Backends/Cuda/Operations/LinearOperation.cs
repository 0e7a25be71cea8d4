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
internal sealed class LinearOperation : CudaOperation
{
    private readonly FusedLinearNode node;
    private readonly InputNorm? norm;
    private readonly DeviceMatrix weight;
    private readonly DeviceBias bias;
    private readonly int sets;

    public LinearOperation(CudaProgramContext context, FusedLinearNode node, InputNorm? norm, DeviceMatrix weight, DeviceBias bias)
        : base(context)
    {
        (this.node, this.norm, this.weight, this.bias) = (node, norm, weight, bias);
        sets = GemvKernel.Sets(Outputs, context.Device.Multiprocessors);
    }

    public override IEnumerable<KernelInstance> Kernels
    {
        get
        {
            if (Fits(1))
                yield return Gemv;
            if (norm is not null)
                yield return norm.Kernel;
            if (node.Gate is { } gate)
                yield return ActivationKernel.Gated(Context.Type, gate);
        }
    }

    // Of a gated product, gate and up give one output together.
    private int Outputs => node.Gate is null ? weight.Rows : weight.Rows / 2;

    private DataType OutputType => Context.Layout.TypeOf(node.Y);

    private GemvInput Input => norm is null ? GemvInput.PlainInput : GemvInput.RmsInput;

    private GemvOutput Output => node.Accumulate ? GemvOutput.Accumulate : OutputType == DataType.Float32 ? GemvOutput.StoreFloat : GemvOutput.StoreHalf;

    private KernelInstance Gemv =>
        node.Gate is { } gate ? GemvKernel.Gated(Context.Type, Input, gate) : GemvKernel.Instance(Context.Type, sets, Input, Output);

    public override void Run(in StepShape shape)
    {
        var rows = CudaProgramContext.Rows(shape, node.Y);
        if (rows == 0)
            return;
        if (Fits(rows))
            RunFew(rows);
        else
            RunMany(rows);
    }

    private bool Fits(int rows) => GemvKernel.Fits(rows, weight.Columns, Input, Context.Device);

    private void RunFew(int rows)
    {
        var x = norm?.X ?? node.X;
        var multiprocessors = Context.Device.Multiprocessors;
        var shape = node.Gate is null
            ? GemvKernel.Shape(rows, Outputs, weight.Columns, sets, Input, multiprocessors)
            : GemvKernel.GatedShape(rows, Outputs, weight.Columns, Input, multiprocessors);
        Context.Launch(Gemv, shape, new GemvParams
        {
            X = Context.Address(x),
            Weight = weight.Address,
            Bias = bias.Float32,
            NormWeight = norm?.Weight ?? 0,
            Y = Context.Address(node.Y),
            Rows = rows,
            Outputs = Outputs,
            Inner = weight.Columns,
            XStride = ValueLayout.Stride(x),
            WStride = weight.Stride,
            YStride = ValueLayout.Stride(node.Y),
            Epsilon = norm?.Epsilon ?? 0,
        });
    }

    private void RunMany(int rows)
    {
        norm?.Run(rows);
        var shape = new ProductShape(
            rows,
            weight.Rows,
            weight.Columns,
            ValueLayout.Stride(node.X),
            weight.Stride,
            ValueLayout.Stride(node.Y),
            Context.Type.Matrix(),
            OutputType.Matrix(),
            HasBias: bias != default,
            BiasType: OutputType.Matrix(),
            Accumulate: node.Accumulate);
        var biasAddress = OutputType == DataType.Float32 ? bias.Float32 : bias.Half;
        Context.Blas.Multiply(Context.Stream, shape, new(Context.Address(node.X), weight.Address, Context.Address(node.Y), biasAddress));
        if (node.Gate is { } gate)
            Gate(rows, gate);
    }

    private void Gate(int rows, Activation gate) => Context.Launch(ActivationKernel.Gated(Context.Type, gate), ActivationKernel.Shape(rows, Outputs), new ActivationParams
    {
        X = Context.Address(node.Y),
        Y = Context.Address(node.Y),
        Rows = rows,
        Width = Outputs,
        XStride = ValueLayout.Stride(node.Y),
        YStride = ValueLayout.Stride(node.Y),
    });
}

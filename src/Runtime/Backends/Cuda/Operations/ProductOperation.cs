using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>Memory that the products of all layers share, one after another.</summary>
/// <param name="Numbers">The sums of a product whose inner dimension is split, or a quantized matrix as numbers.</param>
/// <param name="Input">The largest input of a product with its columns in another order, or its second part.</param>
/// <param name="Counters">Zeros that splits count themselves with, and leave as zeros.</param>
internal readonly record struct ProductWorkspace(nuint Numbers, nuint Input, nuint Counters);

/// <summary>What products with dense and with quantized weights share: where a <see cref="FusedLinearNode"/>'s result goes, and its way through cuBLAS.</summary>
internal abstract class ProductOperation(CudaProgramContext context, FusedLinearNode node, InputNorm? norm, DeviceBias bias, ProductWorkspace workspace)
    : CudaOperation(context)
{
    protected ProductWorkspace Workspace => workspace;

    protected FusedLinearNode Node { get; } = node;

    /// <summary>The norm in front, if it is this product's.</summary>
    protected InputNorm? Norm { get; } = norm;

    protected DeviceBias Bias { get; } = bias;

    protected DataType OutputType => Context.Layout.TypeOf(Node.Y);

    protected GemvOutput Output => Node.Accumulate ? GemvOutput.Accumulate : OutputType == DataType.Float32 ? GemvOutput.StoreFloat : GemvOutput.StoreHalf;

    /// <summary>Where the result of the rows of weights from <paramref name="first"/> on goes.</summary>
    protected nuint ResultAddress(int first) => Context.Address(Node.Y) + ((nuint)(Node.Column + first) * (nuint)OutputType.Size());

    /// <summary>Submits a product of many rows to cuBLAS, before any gate.</summary>
    /// <param name="rows">N.</param>
    /// <param name="weight">Numbers.</param>
    /// <param name="first">Which of the node's rows of weights they begin with.</param>
    protected void Multiply(int rows, in DeviceMatrix weight, int first)
    {
        var shape = new ProductShape(
            rows,
            weight.Rows,
            weight.Columns,
            ValueLayout.Stride(Node.X),
            weight.Stride,
            ValueLayout.Stride(Node.Y),
            Context.Type.Matrix(),
            OutputType.Matrix(),
            HasBias: Bias != default,
            BiasType: OutputType.Matrix(),
            Accumulate: Node.Accumulate);
        var biases = OutputType == DataType.Float32 ? Bias.Float32 : Bias.Half;
        var biasAddress = biases == 0 ? 0 : biases + ((nuint)first * (nuint)OutputType.Size());
        Context.Multiply(shape, new(Context.Address(Node.X), weight.Address, ResultAddress(first), biasAddress));
    }

    /// <summary>Submits y = activation(y) over what the product left, where it has an activation of its own.</summary>
    protected void Activate(int rows)
    {
        if (Node.Epilogue is { } activation)
            Context.Activate(ActivationKernel.Plain(OutputType, activation), Node.Y, rows, Node.Y.Width);
    }

    /// <summary>Submits y = activation(gate) · up over the halves of what the product left, <paramref name="outputs"/> each.</summary>
    protected void Gate(int rows, Activation gate, int outputs) => Context.Activate(ActivationKernel.Gated(Context.Type, gate), Node.Y, rows, outputs);
}

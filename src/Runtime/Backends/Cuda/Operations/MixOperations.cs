using Weft.Backends.Cuda.Kernels;
using Weft.Graph;

namespace Weft.Backends.Cuda.Operations;

/// <summary>Element by element over rows of tokens, from float32.</summary>
internal abstract class ElementOperation(CudaProgramContext context, KernelInstance kernel, Value y) : CudaOperation(context)
{
    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public sealed override void Run(in StepShape shape) => Context.Launch(kernel, MixKernels.Shape(CudaProgramContext.Rows(shape, y)), Inputs with
    {
        Y = Context.Address(y),
        Width = y.Width,
        Stride = ValueLayout.Stride(y),
        YStride = ValueLayout.Stride(y),
    });

    /// <summary>Where the inputs are.</summary>
    protected abstract MixParams Inputs { get; }
}

/// <summary><see cref="MixNode"/>.</summary>
internal sealed class MixOperation(CudaProgramContext context, MixNode node, nuint weight)
    : ElementOperation(context, MixKernels.Mix(context.Layout.TypeOf(node.Y)), node.Y)
{
    protected override MixParams Inputs => new()
    {
        X = Context.Address(node.X),
        Delta = Context.Address(node.Delta),
        Adjustment = node.Adjustment is { } adjustment ? Context.Address(adjustment) : 0,
        Weight = weight,
    };
}

/// <summary><see cref="LerpNode"/>.</summary>
internal sealed class LerpOperation(CudaProgramContext context, LerpNode node) : ElementOperation(context, MixKernels.Lerp(context.Layout.TypeOf(node.Y)), node.Y)
{
    protected override MixParams Inputs => new() { X = Context.Address(node.X), Delta = Context.Address(node.Other), Adjustment = Context.Address(node.Amount) };
}

/// <summary><see cref="GateNode"/> that no product does itself.</summary>
internal sealed class GateOperation(CudaProgramContext context, GateNode node)
    : ElementOperation(context, MixKernels.Gate(context.Layout.TypeOf(node.Y), node.Activation), node.Y)
{
    protected override MixParams Inputs => new() { X = Context.Address(node.Up), Adjustment = Context.Address(node.Gate) };
}

/// <summary><see cref="BonusNode"/>.</summary>
internal sealed class BonusOperation(CudaProgramContext context, BonusNode node, nuint keyRate, nuint first) : CudaOperation(context)
{
    private readonly KernelInstance kernel = MixKernels.Bonus(context.Layout.TypeOf(node.Y));

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape) => Context.Launch(kernel, MixKernels.BonusShape(shape.Tokens, node.Y.Width / node.HeadSize), new BonusParams
    {
        KeyRate = keyRate,
        First = first,
        R = Context.Address(node.R),
        K = Context.Address(node.K),
        V = Context.Address(node.V),
        A = Context.Address(node.A),
        Gate = Context.Address(node.Gate),
        X = Context.Address(node.X),
        Y = Context.Address(node.Y),
        HeadSize = node.HeadSize,
        Stride = ValueLayout.Stride(node.X),
        YStride = ValueLayout.Stride(node.Y),
    });
}

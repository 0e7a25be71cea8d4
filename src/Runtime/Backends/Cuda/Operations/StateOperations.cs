using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Models;

namespace Weft.Backends.Cuda.Operations;

/// <summary>An operation that goes through each sequence's tokens in order.</summary>
internal abstract class StateOperation(CudaProgramContext context, StateNode node, KernelInstance kernel) : CudaOperation(context)
{
    public override IEnumerable<KernelInstance> Kernels => [kernel];

    protected KernelInstance Kernel => kernel;

    /// <summary>Where states are in this step.</summary>
    protected StateParams State => new()
    {
        States = Context.States.Address,
        Slots = Context.Batch.StateSlots,
        Sources = Context.Batch.StateSources,
        Starts = Context.Batch.SequenceStarts,
        Snapshots = Context.Batch.Snapshots,
        Stride = Context.States.Size,
        Offset = node.State.Offset,
    };
}

/// <summary><see cref="TokenShiftNode"/>.</summary>
internal sealed class TokenShiftOperation(CudaProgramContext context, TokenShiftNode node) : StateOperation(context, node, StateKernels.TokenShift)
{
    public override void Run(in StepShape shape) => Context.Launch(Kernel, StateKernels.ChannelShape(node.X.Width, Context.Batch.Sequences(shape)), new TokenShiftParams
    {
        State = State,
        X = Context.Address(node.X),
        Y = Context.Address(node.Y),
        Width = node.X.Width,
        XStride = ValueLayout.Stride(node.X),
        YStride = ValueLayout.Stride(node.Y),
    });
}

/// <summary><see cref="AverageNode"/>.</summary>
internal sealed class AverageOperation(CudaProgramContext context, AverageNode node, nuint decay, nuint first) : StateOperation(context, node, StateKernels.Average)
{
    public override void Run(in StepShape shape) => Context.Launch(Kernel, StateKernels.ChannelShape(node.V.Width, Context.Batch.Sequences(shape)), new AverageParams
    {
        State = State,
        Decay = decay,
        First = first,
        K = Context.Address(node.K),
        V = Context.Address(node.V),
        Y = Context.Address(node.Y),
        Width = node.V.Width,
        KStride = ValueLayout.Stride(node.K),
        VStride = ValueLayout.Stride(node.V),
        YStride = ValueLayout.Stride(node.Y),
    });
}

/// <summary><see cref="DecayNode"/>.</summary>
internal sealed class DecayOperation(CudaProgramContext context, DecayNode node, nuint decay, nuint first) : StateOperation(context, node, StateKernels.Decay)
{
    private const int SharedNumbers = 4;

    public override void Run(in StepShape shape) => Context.Launch(
        Kernel, StateKernels.HeadShape(node.V.Width / node.HeadSize, node.HeadSize, Context.Batch.Sequences(shape), SharedNumbers), new DecayParams
        {
            State = State,
            Decay = decay,
            First = first,
            R = Context.Address(node.R),
            K = Context.Address(node.K),
            V = Context.Address(node.V),
            D = node.D is { } d ? Context.Address(d) : 0,
            Y = Context.Address(node.Y),
            HeadSize = node.HeadSize,
            Stride = ValueLayout.Stride(node.V),
            DStride = ValueLayout.Stride(node.V),
            YStride = ValueLayout.Stride(node.Y),
        });
}

/// <summary><see cref="DeltaRuleNode"/>.</summary>
internal sealed class DeltaRuleOperation(CudaProgramContext context, DeltaRuleNode node, nuint keyScale, nuint keyRate)
    : StateOperation(context, node, StateKernels.DeltaRule)
{
    private const int SharedNumbers = 5;

    public override void Run(in StepShape shape) => Context.Launch(
        Kernel, StateKernels.HeadShape(node.V.Width / node.HeadSize, node.HeadSize, Context.Batch.Sequences(shape), SharedNumbers), new DeltaRuleParams
        {
            State = State,
            KeyScale = keyScale,
            KeyRate = keyRate,
            R = Context.Address(node.R),
            D = Context.Address(node.D),
            K = Context.Address(node.K),
            V = Context.Address(node.V),
            A = Context.Address(node.A),
            Y = Context.Address(node.Y),
            HeadSize = node.HeadSize,
            Stride = ValueLayout.Stride(node.V),
            YStride = ValueLayout.Stride(node.Y),
        });
}

/// <summary><see cref="ConvolutionNode"/>.</summary>
internal sealed class ConvolutionOperation(CudaProgramContext context, ConvolutionNode node, nuint weight, nuint bias)
    : StateOperation(context, node, StateKernels.Convolution)
{
    public override void Run(in StepShape shape) => Context.Launch(Kernel, StateKernels.ChannelShape(node.X.Width, Context.Batch.Sequences(shape)), new ConvolutionParams
    {
        State = State,
        Weight = weight,
        Bias = bias,
        X = Context.Address(node.X),
        Y = Context.Address(node.Y),
        Taps = node.Taps,
        Width = node.X.Width,
        XStride = ValueLayout.Stride(node.X),
        YStride = ValueLayout.Stride(node.Y),
    });
}

/// <summary><see cref="ScanNode"/>.</summary>
internal sealed class ScanOperation(CudaProgramContext context, ScanNode node, nuint decay, nuint skip)
    : StateOperation(context, node, StateKernels.Scan(node.Space.Kind == StateSpaceKind.Dual))
{
    public override void Run(in StepShape shape) => Context.Launch(Kernel, StateKernels.ChannelShape(node.X.Width, Context.Batch.Sequences(shape)), new ScanParams
    {
        State = State,
        Decay = decay,
        Skip = skip,
        X = Context.Address(node.X),
        Step = Context.Address(node.Step),
        B = Context.Address(node.B),
        C = Context.Address(node.C),
        Y = Context.Address(node.Y),
        Width = node.X.Width,
        HeadSize = node.X.Width / node.Space.Steps,
        GroupSize = node.X.Width / Math.Max(node.Space.Groups, 1),
        StateSize = node.Space.StateSize,
        XStride = ValueLayout.Stride(node.X),
        StepStride = ValueLayout.Stride(node.Step),
        RowStride = ValueLayout.Stride(node.B),
        YStride = ValueLayout.Stride(node.Y),
        StepMin = node.Space.StepMin ?? 0,
        StepMax = node.Space.StepMax ?? float.PositiveInfinity,
    });
}

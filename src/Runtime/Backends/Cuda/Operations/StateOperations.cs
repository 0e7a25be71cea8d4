using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Interop;
using Weft.Models;

namespace Weft.Backends.Cuda.Operations;

/// <summary>An operation that goes through each sequence's tokens in order.</summary>
/// <typeparam name="TParameters">Twin of the kernel's params.</typeparam>
internal abstract class StateOperation<TParameters>(CudaProgramContext context, StateNode node, KernelInstance kernel) : CudaOperation(context)
    where TParameters : unmanaged
{
    public override IEnumerable<KernelInstance> Kernels => [kernel];

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

    protected abstract TParameters Parameters { get; }

    public override void Run(in StepShape shape) => Context.Launch(kernel, Shape(Context.Batch.Sequences(shape)), Parameters);

    protected abstract LaunchShape Shape(int sequences);
}

/// <summary>The same of one whose threads have a channel each.</summary>
internal abstract class ChannelOperation<TParameters>(CudaProgramContext context, StateNode node, KernelInstance kernel, int channels)
    : StateOperation<TParameters>(context, node, kernel)
    where TParameters : unmanaged
{
    protected override LaunchShape Shape(int sequences) => StateKernels.ChannelShape(channels, sequences);
}

/// <summary><see cref="TokenShiftNode"/>.</summary>
internal sealed class TokenShiftOperation(CudaProgramContext context, TokenShiftNode node)
    : ChannelOperation<TokenShiftParams>(context, node, StateKernels.TokenShift, node.X.Width)
{
    protected override TokenShiftParams Parameters => new()
    {
        State = State,
        X = Context.Address(node.X),
        Y = Context.Address(node.Y),
        Width = node.X.Width,
        XStride = ValueLayout.Stride(node.X),
        YStride = ValueLayout.Stride(node.Y),
    };
}

/// <summary><see cref="AverageNode"/>.</summary>
internal sealed class AverageOperation(CudaProgramContext context, AverageNode node, nuint decay, nuint first)
    : ChannelOperation<AverageParams>(context, node, StateKernels.Average, node.V.Width)
{
    protected override AverageParams Parameters => new()
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
    };
}

/// <summary><see cref="DecayNode"/>.</summary>
internal sealed class DecayOperation(CudaProgramContext context, DecayNode node, nuint decay, nuint first)
    : StateOperation<DecayParams>(context, node, StateKernels.Decay)
{
    protected override DecayParams Parameters => new()
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
        Lanes = StateKernels.HeadLanes(node.HeadSize),
        Stride = ValueLayout.Stride(node.V),
        DStride = ValueLayout.Stride(node.V),
        YStride = ValueLayout.Stride(node.Y),
    };

    protected override LaunchShape Shape(int sequences) => StateKernels.DecayShape(node.V.Width / node.HeadSize, node.HeadSize, sequences);
}

/// <summary><see cref="DeltaRuleNode"/>.</summary>
internal sealed class DeltaRuleOperation(CudaProgramContext context, DeltaRuleNode node, nuint keyScale, nuint keyRate)
    : StateOperation<DeltaRuleParams>(context, node, StateKernels.DeltaRule)
{
    protected override DeltaRuleParams Parameters => new()
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
        Lanes = StateKernels.HeadLanes(node.HeadSize),
        Stride = ValueLayout.Stride(node.V),
        YStride = ValueLayout.Stride(node.Y),
    };

    protected override LaunchShape Shape(int sequences) => StateKernels.DeltaRuleShape(node.V.Width / node.HeadSize, node.HeadSize, sequences);
}

/// <summary><see cref="ConvolutionNode"/>.</summary>
internal sealed class ConvolutionOperation(CudaProgramContext context, ConvolutionNode node, nuint weight, nuint bias)
    : ChannelOperation<ConvolutionParams>(context, node, StateKernels.Convolution, node.X.Width)
{
    protected override ConvolutionParams Parameters => new()
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
    };
}

/// <summary><see cref="ScanNode"/>.</summary>
internal sealed class ScanOperation(CudaProgramContext context, ScanNode node, nuint decay, nuint skip)
    : StateOperation<ScanParams>(context, node, StateKernels.Scan(node.Space.Kind == StateSpaceKind.Dual))
{
    private readonly bool isShared = node.Space.Kind == StateSpaceKind.Dual;
    private readonly int groupSize = node.X.Width / Math.Max(node.Space.Groups, 1);

    protected override ScanParams Parameters => new()
    {
        State = State,
        Decay = decay,
        Skip = skip,
        X = Context.Address(node.X),
        Step = Context.Address(node.Step),
        B = Context.Address(node.B),
        C = Context.Address(node.C),
        Y = Context.Address(node.Y),
        HeadSize = node.X.Width / node.Space.Steps,
        GroupSize = groupSize,
        StateSize = node.Space.StateSize,
        Lanes = StateKernels.ScanLanes(isShared, node.Space.StateSize),
        XStride = ValueLayout.Stride(node.X),
        StepStride = ValueLayout.Stride(node.Step),
        RowStride = ValueLayout.Stride(node.B),
        YStride = ValueLayout.Stride(node.Y),
        StepMin = node.Space.StepMin ?? 0,
        StepMax = node.Space.StepMax ?? float.PositiveInfinity,
    };

    protected override LaunchShape Shape(int sequences) => StateKernels.ScanShape(isShared, node.X.Width, groupSize, node.Space.StateSize, sequences);
}

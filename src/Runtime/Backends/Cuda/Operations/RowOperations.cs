using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary><see cref="EmbeddingNode"/>.</summary>
internal sealed class EmbeddingOperation(CudaProgramContext context, EmbeddingNode node, DeviceMatrix table, DeviceMatrix positions, DrawnTokens drawn)
    : CudaOperation(context)
{
    private readonly KernelInstance kernel = EmbeddingKernel.Instance(context.Type);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape) => Context.Launch(kernel, EmbeddingKernel.Shape(shape.Tokens), new EmbeddingParams
    {
        Table = table.Address,
        PositionTable = positions.Address,
        TokenIds = Context.Batch.TokenIds,
        Drawn = drawn.Address,
        Positions = Context.Batch.TextPositions,
        Y = Context.Address(node.Y),
        Width = node.Y.Width,
        Stride = table.Stride,
        PositionStride = positions.Stride,
        YStride = ValueLayout.Stride(node.Y),
        Scale = node.Scale,
    });
}

/// <summary><see cref="AddPositionsNode"/>: a copy, then rows of the table added to it.</summary>
internal sealed class AddPositionsOperation(CudaProgramContext context, AddPositionsNode node, DeviceMatrix table) : CudaOperation(context)
{
    private readonly KernelInstance copy = CopyKernels.Rows(DataType.Float32, DataType.Float32);
    private readonly KernelInstance add = CopyKernels.Rows(context.Type, DataType.Float32, add: true);

    public override IEnumerable<KernelInstance> Kernels => [copy, add];

    public override void Run(in StepShape shape)
    {
        var rows = CudaProgramContext.Rows(shape, node.Y);
        Run(copy, rows, Context.Address(node.X), 0, ValueLayout.Stride(node.X));
        Run(add, rows, table.Address, node.Spans ? Context.Batch.SpanPositions : Context.Batch.TextPositions, table.Stride);
    }

    private void Run(KernelInstance kernel, int rows, nuint x, nuint which, int stride) => Context.Launch(kernel, CopyKernels.RowShape(rows), new CopyRowsParams
    {
        X = x,
        Rows = which,
        Y = Context.Address(node.Y),
        Width = node.Y.Width,
        XStride = stride,
        YStride = ValueLayout.Stride(node.Y),
    });
}

/// <summary><see cref="PositionRowsNode"/>.</summary>
internal sealed class PositionRowsOperation(CudaProgramContext context, PositionRowsNode node, DeviceMatrix table) : CudaOperation(context)
{
    private readonly KernelInstance kernel = CopyKernels.Rows(context.Type, context.Type);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape) => Context.Launch(kernel, CopyKernels.RowShape(CudaProgramContext.Rows(shape, node.Y)), new CopyRowsParams
    {
        X = table.Address,
        Rows = Context.Batch.TextPositions,
        Y = Context.Address(node.Y),
        Width = node.Y.Width,
        XStride = table.Stride,
        YStride = ValueLayout.Stride(node.Y),
    });
}

/// <summary><see cref="JoinNode"/>.</summary>
internal sealed class JoinOperation(CudaProgramContext context, JoinNode node) : CudaOperation(context)
{
    private readonly KernelInstance kernel = CopyKernels.Rows(DataType.Float32, DataType.Float32);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        Run(shape, node.A, 0);
        Run(shape, node.B, node.A.Width);
    }

    private void Run(in StepShape shape, Value x, int column) => Context.Launch(kernel, CopyKernels.RowShape(CudaProgramContext.Rows(shape, x)), new CopyRowsParams
    {
        X = Context.Address(x),
        Y = Context.Address(node.Y) + ((nuint)column * sizeof(float)),
        Width = x.Width,
        XStride = ValueLayout.Stride(x),
        YStride = ValueLayout.Stride(node.Y),
    });
}

/// <summary><see cref="RoundNode"/>.</summary>
internal sealed class RoundOperation(CudaProgramContext context, RoundNode node) : CudaOperation(context)
{
    private readonly KernelInstance kernel = CopyKernels.Rows(DataType.Float32, context.Layout.TypeOf(node.Y));

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        var rows = CudaProgramContext.Rows(shape, node.Y);
        if (rows == 0)
            return;
        Context.Launch(kernel, CopyKernels.RowShape(rows), new CopyRowsParams
        {
            X = Context.Address(node.X),
            Y = Context.Address(node.Y),
            Width = node.Y.Width,
            XStride = ValueLayout.Stride(node.X),
            YStride = ValueLayout.Stride(node.Y),
        });
    }
}

/// <summary><see cref="CopyHeadsNode"/>.</summary>
internal sealed class CopyHeadsOperation(CudaProgramContext context, CopyHeadsNode node) : CudaOperation(context)
{
    private readonly KernelInstance kernel = CopyKernels.Heads(context.Layout.TypeOf(node.X), context.Layout.TypeOf(node.Y));

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        var tokens = CudaProgramContext.Rows(shape, node.Y);
        Context.Launch(kernel, CopyKernels.HeadShape(tokens, node.Heads), new CopyHeadsParams
        {
            X = Context.Address(node.X),
            Y = Context.Address(node.Y),
            Tokens = tokens,
            Heads = node.Heads,
            XSize = node.X.Width / node.Heads,
            YSize = node.Y.Width / node.Heads,
            XStride = ValueLayout.Stride(node.X),
            YStride = ValueLayout.Stride(node.Y),
        });
    }
}

/// <summary><see cref="AddNode"/>.</summary>
internal sealed class AddOperation(CudaProgramContext context, AddNode node) : CudaOperation(context)
{
    public override IEnumerable<KernelInstance> Kernels => [AddKernel.Instance];

    public override void Run(in StepShape shape) => Context.Launch(AddKernel.Instance, AddKernel.Shape(CudaProgramContext.Rows(shape, node.Y)), new AddParams
    {
        A = Context.Address(node.A),
        B = Context.Address(node.B),
        Y = Context.Address(node.Y),
        Width = node.Y.Width,
        AStride = ValueLayout.Stride(node.A),
        BStride = ValueLayout.Stride(node.B),
        YStride = ValueLayout.Stride(node.Y),
        Scale = node.Scale,
    });
}

/// <summary><see cref="GateHalvesNode"/>.</summary>
internal sealed class GateHalvesOperation(CudaProgramContext context, GateHalvesNode node) : CudaOperation(context)
{
    private readonly KernelInstance kernel = ActivationKernel.Gated(context.Type, node.Activation);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape) => Context.Activate(kernel, node.Y, CudaProgramContext.Rows(shape, node.Y), node.Y.Width / 2);
}

/// <summary><see cref="ScaleLogitsNode"/>.</summary>
internal sealed class ScaleLogitsOperation(CudaProgramContext context, ScaleLogitsNode node, nuint rowScale) : CudaOperation(context)
{
    public override IEnumerable<KernelInstance> Kernels => [ScaleLogitsKernel.Instance];

    public override void Run(in StepShape shape)
    {
        if (shape.LogitRows == 0)
            return;
        Context.Launch(ScaleLogitsKernel.Instance, ScaleLogitsKernel.Shape(shape.LogitRows, node.X.Width), new ScaleLogitsParams
        {
            X = Context.Address(node.X),
            RowScale = rowScale,
            Width = node.X.Width,
            Stride = ValueLayout.Stride(node.X),
            Scale = node.Head.Scale ?? 1,
            SoftCap = node.Head.SoftCap ?? 0,
        });
    }
}

/// <summary><see cref="GatherRowsNode"/>.</summary>
internal sealed class GatherRowsOperation(CudaProgramContext context, GatherRowsNode node) : CudaOperation(context)
{
    private readonly KernelInstance kernel = CopyKernels.Rows(DataType.Float32, DataType.Float32);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        if (shape.LogitRows == 0)
            return;
        Context.Launch(kernel, CopyKernels.RowShape(shape.LogitRows), new CopyRowsParams
        {
            X = Context.Address(node.X),
            Rows = Context.Batch.LogitRows,
            Y = Context.Address(node.Y),
            Width = node.X.Width,
            XStride = ValueLayout.Stride(node.X),
            YStride = ValueLayout.Stride(node.Y),
        });
    }
}

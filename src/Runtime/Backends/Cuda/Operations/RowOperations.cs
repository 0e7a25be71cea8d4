using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary><see cref="EmbeddingNode"/>.</summary>
internal sealed class EmbeddingOperation(CudaProgramContext context, DeviceMatrix table, DrawnTokens drawn, Value y) : CudaOperation(context)
{
    private readonly KernelInstance kernel = EmbeddingKernel.Instance(context.Type);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape) => Context.Launch(kernel, EmbeddingKernel.Shape(shape.Tokens), new EmbeddingParams
    {
        Table = table.Address,
        TokenIds = Context.Batch.TokenIds,
        Drawn = drawn.Address,
        Positions = Context.Batch.Positions,
        Y = Context.Address(y),
        Width = y.Width,
        Stride = table.Stride,
        YStride = ValueLayout.Stride(y),
        Scale = 1,
    });
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

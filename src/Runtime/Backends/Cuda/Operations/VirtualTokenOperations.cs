using Weft.Backends.Cuda.Kernels;
using Weft.Graph;

namespace Weft.Backends.Cuda.Operations;

/// <summary><see cref="VirtualRowsNode"/>.</summary>
internal sealed class VirtualRowsOperation(CudaProgramContext context, VirtualRowsNode node, DeviceMatrix table) : CudaOperation(context)
{
    private readonly KernelInstance kernel = VirtualTokenKernels.Rows(context.Type);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        if (shape.Tiles == 0)
            return; // they are a prompt's
        Context.Launch(kernel, VirtualTokenKernels.Shape(shape.Tokens), new VirtualRowsParams
        {
            Table = table.Address,
            Positions = Context.Batch.Positions,
            X = Context.Address(node.X),
            Count = node.Count,
            Width = node.X.Width,
            Stride = table.Stride,
            XStride = ValueLayout.Stride(node.X),
        });
    }
}

/// <summary><see cref="VirtualKeysNode"/>.</summary>
internal sealed class VirtualKeysOperation(CudaProgramContext context, VirtualKeysNode node, DeviceMatrix table, nuint keys, nuint values) : CudaOperation(context)
{
    private readonly KernelInstance kernel = VirtualTokenKernels.Keys(context.Type, context.AttentionTypes.Cache);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        if (shape.Tiles == 0)
            return; // they are a prompt's
        Context.Launch(kernel, VirtualTokenKernels.Shape(shape.Tokens), new VirtualKeysParams
        {
            Table = table.Address,
            Positions = Context.Batch.Positions,
            Slots = Context.Batch.Slots,
            Keys = keys,
            Values = values,
            Count = node.Count,
            KeyHeads = node.Attention.KeyValueHeads,
            HeadSize = node.Attention.HeadSize,
            CacheRow = HeadSizes.Row(node.Attention.HeadSize),
            Stride = table.Stride,
        });
    }
}

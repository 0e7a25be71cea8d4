using Weft.Backends.Cuda.Kernels;
using Weft.Graph;

namespace Weft.Backends.Cuda.Operations;

/// <summary><see cref="RotaryCacheWriteNode"/>.</summary>
internal sealed class RotaryCacheWriteOperation(CudaProgramContext context, RotaryCacheWriteNode node, DeviceRotaryTable table, nuint keys, nuint values)
    : CudaOperation(context)
{
    private readonly KernelInstance kernel = RotaryCacheWriteKernel.Instance(context.Type, node.Attention.HeadSize);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        var attention = node.Attention;
        Context.Launch(kernel, RotaryCacheWriteKernel.Shape(shape.Tokens, attention.QueryHeads, attention.KeyValueHeads), new RotaryCacheWriteParams
        {
            Qkv = Context.Address(node.QueriesKeysValues),
            Q = Context.Address(node.Queries),
            Table = table.Address,
            Positions = Context.Batch.Positions,
            Slots = Context.Batch.Slots,
            Keys = keys,
            Values = values,
            Tokens = shape.Tokens,
            Stride = ValueLayout.Stride(node.QueriesKeysValues),
            QStride = ValueLayout.Stride(node.Queries),
            QueryHeads = attention.QueryHeads,
            KeyHeads = attention.KeyValueHeads,
            Rotary = attention.HeadSize,
        });
    }
}

using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Models;

namespace Weft.Backends.Cuda.Operations;

/// <summary><see cref="RotaryCacheWriteNode"/>.</summary>
internal sealed class RotaryCacheWriteOperation(
    CudaProgramContext context, RotaryCacheWriteNode node, DeviceRotaryTable? table, HeadNormTensors norms, nuint keys, nuint values)
    : CudaOperation(context)
{
    private readonly KernelInstance kernel = RotaryCacheWriteKernel.Instance(context.AttentionTypes.Cache, node.Attention.HeadSize);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        var attention = node.Attention;
        var norm = node.Norm?.Attention.QueryKeyNorm?.Norm;
        Context.Launch(kernel, RotaryCacheWriteKernel.Shape(shape.Tokens, attention.QueryHeads, attention.KeyValueHeads), new RotaryCacheWriteParams
        {
            Qkv = Context.Address(node.QueriesKeysValues),
            Q = Context.Address(node.Queries),
            Table = table?.Address ?? 0,
            Positions = Context.Batch.TextPositions,
            Spans = attention.Rotary is { Spans: true } ? Context.Batch.SpanPositions : 0,
            Slots = Context.Batch.Slots,
            Keys = keys,
            Values = values,
            QueryNorm = norms.Query.Weight,
            KeyNorm = norms.Key.Weight,
            QueryNormBias = norms.Query.Bias,
            KeyNormBias = norms.Key.Bias,
            Tokens = shape.Tokens,
            Stride = ValueLayout.Stride(node.QueriesKeysValues),
            QStride = ValueLayout.Stride(node.Queries),
            QueryHeads = attention.QueryHeads,
            KeyHeads = attention.KeyValueHeads,
            Rotary = attention.Rotary is { } rotary ? rotary.Size ?? attention.HeadSize : 0,
            HeadNorm = norm is null ? HeadNorm.None : norm.Kind == NormKind.Rms ? HeadNorm.Rms : HeadNorm.Layer,
            Epsilon = norm?.Epsilon ?? 0,
            Clip = node.Clip ?? 0,
            PerToken = table is { IsOfStep: true } ? 1 : 0,
            LogFrom = attention.LogScaleFrom ?? 0,
            KeyTurns = table?.KeyOffset ?? 0,
            NormLast = attention.QueryKeyNorm is { AfterTurning: true } ? 1 : 0,
        });
    }
}

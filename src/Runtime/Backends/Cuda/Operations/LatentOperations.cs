using Weft.Backends.Cuda.Kernels;
using Weft.Graph;

namespace Weft.Backends.Cuda.Operations;

/// <summary><see cref="HeadLinearNode"/>.</summary>
internal sealed class HeadLinearOperation(CudaProgramContext context, HeadLinearNode node, DeviceMatrix weight) : CudaOperation(context)
{
    private readonly KernelInstance kernel = HeadLinearKernel.Instance(context.Type, context.Layout.TypeOf(node.Y));

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        var outputs = node.Y.Width / node.Heads;
        Context.Launch(kernel, HeadLinearKernel.Shape(shape.Tokens, outputs, node.Heads), new HeadLinearParams
        {
            X = Context.Address(node.X),
            Weight = weight.Address,
            Y = Context.Address(node.Y),
            Rows = shape.Tokens,
            Outputs = outputs,
            Inner = weight.Columns,
            XStride = ValueLayout.Stride(node.X),
            YStride = ValueLayout.Stride(node.Y),
        });
    }
}

/// <summary><see cref="LatentWriteNode"/>.</summary>
internal sealed class LatentWriteOperation(CudaProgramContext context, LatentWriteNode node, DeviceRotaryTable table, nuint cache) : CudaOperation(context)
{
    private readonly KernelInstance kernel = LatentWriteKernel.Instance(context.AttentionTypes.Cache);

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        var (heads, rank) = (node.Attention.QueryHeads, node.Attention.Latent!.Rank);
        Context.Launch(kernel, LatentWriteKernel.Shape(shape.Tokens, heads), new LatentWriteParams
        {
            Turned = Context.Address(node.TurnedQueries),
            LatentQueries = Context.Address(node.LatentQueries),
            Key = Context.Address(node.TurnedKey),
            Latent = Context.Address(node.Latent),
            Q = Context.Address(node.Queries),
            Cache = cache,
            Table = table.Address,
            Positions = Context.Batch.Positions,
            Slots = Context.Batch.Slots,
            Tokens = shape.Tokens,
            Heads = heads,
            Rotary = node.Attention.HeadSize - rank,
            Rank = rank,
            TurnedStride = ValueLayout.Stride(node.TurnedQueries),
            LatentQueriesStride = ValueLayout.Stride(node.LatentQueries),
            KeyStride = ValueLayout.Stride(node.TurnedKey),
            LatentStride = ValueLayout.Stride(node.Latent),
            QStride = ValueLayout.Stride(node.Queries),
            PerToken = table.IsOfStep ? 1 : 0,
            LogFrom = node.Attention.LogScaleFrom ?? 0,
        });
    }
}

/// <summary><see cref="AttentionNode"/> over latent vectors: one launch for tokens that were drawn, one for those of prompts.</summary>
internal sealed class LatentAttentionOperation(CudaProgramContext context, AttentionNode node, nuint slopes, nuint sinks, nuint cache, int tokensPerTile)
    : CudaOperation(context)
{
    private readonly KernelInstance kernel = AttentionLatentKernel.Instance(
        context.AttentionTypes, node.Attention.HeadSize - node.Attention.Latent!.Rank, node.Attention.Latent.Rank, AttentionOperation.Variant(node));

    public override IEnumerable<KernelInstance> Kernels => [kernel];

    public override void Run(in StepShape shape)
    {
        if (shape.Places > 0)
            Launch(shape, shape.Places, 1, 0);
        if (shape.Tiles > 0)
            Launch(shape, shape.Tiles, tokensPerTile, Context.Batch.Tiles);
    }

    private void Launch(in StepShape shape, int places, int tokensEach, nuint tiles)
    {
        var attention = node.Attention;
        Context.Launch(kernel, AttentionLatentKernel.Shape(places, tokensEach, attention.QueryHeads, attention.HeadSize), new AttentionLatentParams
        {
            Q = Context.Address(node.Queries),
            Cache = cache,
            Y = Context.Address(node.Y),
            Tiles = tiles,
            PromptEnds = Context.Batch.PromptEnds,
            Rows = Context.Batch.DecodeRows,
            Tables = Context.Batch.DecodeTables,
            Positions = Context.Batch.Positions,
            BlockTables = Context.Batch.BlockTables,
            Score = new() { Slopes = slopes, Sinks = sinks, Scale = attention.Scale, SoftCap = attention.SoftCap ?? 0, Window = attention.Window ?? 0 },
            Heads = attention.QueryHeads,
            QStride = ValueLayout.Stride(node.Queries),
            YStride = ValueLayout.Stride(node.Y),
            MaxBlocks = shape.TableBlocks,
        });
    }
}

using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Models;
using Weft.Scheduling;

namespace Weft.Backends.Cuda.Operations;

/// <summary>Working memory of the decode attention, shared by all layers.</summary>
/// <param name="Partial">Results of parts of the cache.</param>
/// <param name="Counters">Zero between launches.</param>
/// <param name="Places">Places of a launch for which there is room.</param>
internal readonly record struct DecodeWorkspace(nuint Partial, nuint Counters, int Places)
{
    /// <summary>Places of a launch: every sequence's next token. Only a sequence that computes again what it drew has more, and takes several launches.</summary>
    public static int CountPlaces(StepBatch batch) => Math.Max(batch.MaxSequences, StepShape.LargestBucket(batch.MaxSequences));

    /// <summary>Bytes of both for a model's steps.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">Sizes of its steps.</param>
    /// <param name="maxPositions">Longest sequence.</param>
    public static (long Partial, long Counters) CountBytes(ModelDescription model, StepBatch batch, int maxPositions)
    {
        var places = CountPlaces(batch);
        var longest = StepShape.LongestPositions(maxPositions);
        var attentions = model.Attentions.Where(attention => attention.Latent is null).ToList();
        if (attentions.Count == 0)
            return (0, 0);
        return (
            attentions.Max(attention => AttentionDecodeKernel.PartialBytes(
                places, attention.QueryHeads, attention.HeadSize, AttentionDecodeKernel.Splits(longest, attention.Window))),
            attentions.Max(attention => (long)AttentionDecodeKernel.Counters(places, attention.QueryHeads, attention.KeyValueHeads)) * sizeof(uint));
    }
}

/// <summary><see cref="AttentionNode"/>: tokens that were drawn through the split kernel, those of prompts tile by tile.</summary>
internal sealed class AttentionOperation(
    CudaProgramContext context, AttentionNode node, nuint slopes, nuint sinks, nuint keys, nuint values, DecodeWorkspace workspace, int tokensPerTile)
    : CudaOperation(context)
{
    private readonly KernelInstance decode = AttentionDecodeKernel.Instance(
        context.Type, node.Attention.HeadSize, node.Attention.QueryHeads / node.Attention.KeyValueHeads, Variant(node.Attention));

    // Tokens that were drawn come after the prefix and see it anyway.
    private readonly KernelInstance prefill = AttentionPrefillKernel.Instance(
        context.Type, node.Attention.HeadSize, Variant(node.Attention) | (node.HasPrefixes ? AttentionVariant.Prefix : 0), context.Device.ComputeCapability);

    public override IEnumerable<KernelInstance> Kernels => [decode, prefill];

    private AttentionDescription Attention => node.Attention;

    private ScoreParams Score => new() { PrefixLengths = Context.Batch.PrefixLengths, Slopes = slopes, Sinks = sinks, Scale = Attention.Scale, SoftCap = Attention.SoftCap ?? 0, Window = Attention.Window ?? 0 };

    public override void Run(in StepShape shape)
    {
        for (var first = 0; first < shape.Places; first += workspace.Places)
            Decode(shape, first, Math.Min(workspace.Places, shape.Places - first));
        if (shape.Tiles > 0)
            Prefill(shape);
    }

    /// <summary>What a kernel does to scores.</summary>
    public static AttentionVariant Variant(AttentionDescription attention) => AttentionVariant.Causal
        | (attention.Window is null ? 0 : AttentionVariant.Window)
        | (attention.AlibiSlopes is null ? 0 : AttentionVariant.Alibi)
        | (attention.SoftCap is null ? 0 : AttentionVariant.SoftCap)
        | (attention.Sinks ? AttentionVariant.Sinks : 0);

    private void Decode(in StepShape shape, int first, int places)
    {
        var offset = (nuint)first * sizeof(int);
        var splits = AttentionDecodeKernel.Splits(shape.Positions, Attention.Window);
        var launch = AttentionDecodeKernel.Shape(places, Attention.QueryHeads, Attention.KeyValueHeads, Attention.HeadSize, splits);
        Context.Launch(decode, launch, new AttentionDecodeParams
        {
            Q = Context.Address(node.Queries),
            Keys = keys,
            Values = values,
            Y = Context.Address(node.Y),
            Partial = workspace.Partial,
            Counters = workspace.Counters,
            Rows = Context.Batch.DecodeRows + offset,
            Tables = Context.Batch.DecodeTables + offset,
            Positions = Context.Batch.Positions,
            BlockTables = Context.Batch.BlockTables,
            Score = Score,
            QueryHeads = Attention.QueryHeads,
            KeyHeads = Attention.KeyValueHeads,
            QStride = ValueLayout.Stride(node.Queries),
            YStride = ValueLayout.Stride(node.Y),
            MaxBlocks = shape.TableBlocks,
            Splits = splits,
        });
    }

    private void Prefill(in StepShape shape)
    {
        var launch = AttentionPrefillKernel.Shape(shape.Tiles, Attention.KeyValueHeads, Attention.HeadSize, Context.Device.ComputeCapability);
        Context.Launch(prefill, launch, new AttentionPrefillParams
        {
            Q = Context.Address(node.Queries),
            Keys = keys,
            Values = values,
            Y = Context.Address(node.Y),
            Tiles = Context.Batch.Tiles,
            PromptEnds = Context.Batch.PromptEnds,
            Positions = Context.Batch.Positions,
            BlockTables = Context.Batch.BlockTables,
            Score = Score,
            QueryHeads = Attention.QueryHeads,
            KeyHeads = Attention.KeyValueHeads,
            QStride = ValueLayout.Stride(node.Queries),
            YStride = ValueLayout.Stride(node.Y),
            MaxBlocks = shape.TableBlocks,
            TileTokens = tokensPerTile,
        });
    }
}

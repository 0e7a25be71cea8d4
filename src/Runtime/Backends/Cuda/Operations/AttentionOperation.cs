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
                places, attention.QueryHeads, HeadSizes.Row(attention.HeadSize), AttentionDecodeKernel.Splits(longest, attention.Window))),
            attentions.Max(attention => (long)AttentionDecodeKernel.Counters(places, attention.QueryHeads, attention.KeyValueHeads)) * sizeof(uint));
    }
}

/// <summary>Tensors of scores on the device; 0 for those that a block does not have.</summary>
internal readonly record struct ScoreTensors(nuint Slopes, nuint Sinks, nuint DistanceBias);

/// <summary>
/// <see cref="AttentionNode"/>: tokens that were drawn through the split kernel, those of prompts tile by tile. A source is attended to as if every query stood
/// at its last position.
/// </summary>
internal sealed class AttentionOperation(
    CudaProgramContext context, AttentionNode node, ScoreTensors tensors, nuint keys, nuint values, DecodeWorkspace workspace, int tokensPerTile)
    : CudaOperation(context)
{
    // Tokens that were drawn come after the prefix and see it anyway.
    private readonly KernelInstance decode = AttentionDecodeKernel.Instance(
        context.AttentionTypes, HeadSizes.Row(node.Attention.HeadSize), node.Attention.QueryHeads / node.Attention.KeyValueHeads, Variant(node) & ~AttentionVariant.Prefix);

    private readonly KernelInstance prefill = AttentionPrefillKernel.Instance(
        context.AttentionTypes, HeadSizes.Row(node.Attention.HeadSize), Variant(node), context.Device.ComputeCapability);

    // Tokens of a source are never drawn.
    public override IEnumerable<KernelInstance> Kernels => node.Mask == AttentionMask.Full ? [prefill] : [decode, prefill];

    private AttentionDescription Attention => node.Attention;

    private ScoreParams Score => new()
    {
        PrefixLengths = Context.Batch.PrefixLengths,
        Slopes = tensors.Slopes,
        Sinks = tensors.Sinks,
        DistanceBias = tensors.DistanceBias,
        Scale = Attention.Scale,
        SoftCap = Attention.SoftCap ?? 0,
        Window = Attention.Window ?? 0,
        MaxDistance = Attention.BiasDistance ?? 0,
    };

    private bool IsOfSource => node.Mask == AttentionMask.Source;

    private nuint Positions => IsOfSource ? Context.Batch.SourcePositions : Context.Batch.Positions;

    private nuint BlockTables => IsOfSource ? Context.Batch.SourceTables : Context.Batch.BlockTables;

    public override void Run(in StepShape shape)
    {
        for (var first = 0; first < shape.Places; first += workspace.Places)
            Decode(shape, first, Math.Min(workspace.Places, shape.Places - first));
        if (shape.Tiles > 0)
            Prefill(shape);
    }

    /// <summary>What a kernel does to scores.</summary>
    public static AttentionVariant Variant(AttentionNode node) => Seen(node.Mask) | Variant(node.Attention);

    private static AttentionVariant Seen(AttentionMask mask) => mask switch
    {
        AttentionMask.Full => AttentionVariant.Full,
        AttentionMask.Prefix => AttentionVariant.Causal | AttentionVariant.Prefix,
        _ => AttentionVariant.Causal,
    };

    private static AttentionVariant Variant(AttentionDescription attention) =>
        (attention.Window is null ? 0 : AttentionVariant.Window)
        | (attention.AlibiSlopes is null ? 0 : AttentionVariant.Alibi)
        | (attention.BiasDistance is null ? 0 : AttentionVariant.Distances)
        | (attention.SoftCap is null ? 0 : AttentionVariant.SoftCap)
        | (attention.Sinks ? AttentionVariant.Sinks : 0);

    private void Decode(in StepShape shape, int first, int places)
    {
        var offset = (nuint)first * sizeof(int);
        var splits = AttentionDecodeKernel.Splits(IsOfSource ? shape.SourcePositions : shape.Positions, Attention.Window);
        var launch = AttentionDecodeKernel.Shape(places, Attention.QueryHeads, Attention.KeyValueHeads, HeadSizes.Row(Attention.HeadSize), splits);
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
            Positions = Positions,
            BlockTables = BlockTables,
            Score = Score,
            QueryHeads = Attention.QueryHeads,
            KeyHeads = Attention.KeyValueHeads,
            QStride = ValueLayout.Stride(node.Queries),
            YStride = ValueLayout.Stride(node.Y),
            MaxBlocks = IsOfSource ? shape.SourceTableBlocks : shape.TableBlocks,
            Splits = splits,
        });
    }

    private void Prefill(in StepShape shape)
    {
        var launch = AttentionPrefillKernel.Shape(shape.Tiles, Attention.KeyValueHeads, HeadSizes.Row(Attention.HeadSize), Context.Device.ComputeCapability);
        Context.Launch(prefill, launch, new AttentionPrefillParams
        {
            Q = Context.Address(node.Queries),
            Keys = keys,
            Values = values,
            Y = Context.Address(node.Y),
            Tiles = Context.Batch.Tiles,
            PromptEnds = Context.Batch.PromptEnds,
            Positions = Positions,
            BlockTables = BlockTables,
            Score = Score,
            QueryHeads = Attention.QueryHeads,
            KeyHeads = Attention.KeyValueHeads,
            QStride = ValueLayout.Stride(node.Queries),
            YStride = ValueLayout.Stride(node.Y),
            MaxBlocks = IsOfSource ? shape.SourceTableBlocks : shape.TableBlocks,
            TileTokens = tokensPerTile,
        });
    }
}

using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.Operations;

/// <summary><see cref="Graph.AttentionNode"/>: an item is up to eight query heads of one key/value head and up to 16 tokens of one sequence.</summary>
internal sealed unsafe class AttentionOperation<TSimd, TVector, TCache> : Operation
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    private const int TokensPerItem = 16;

    // Few enough that a token's heads, where they share a key, are still work for several threads.
    private const int HeadsPerItem = AttentionKernel.TileRows;

    private readonly AttentionArguments arguments;
    private readonly int[] tables;
    private readonly int tableBlocks;
    private readonly bool isOfSource;
    private readonly int headsEach; // query heads of a key/value head
    private readonly int parts;

    public AttentionOperation(ProgramContext context, Graph.AttentionMask mask, in AttentionArguments arguments)
        : base(context)
    {
        this.arguments = arguments;
        isOfSource = mask == Graph.AttentionMask.Source;
        (tables, tableBlocks) = isOfSource ? (Batch.SourceTables, Batch.Source!.MaxBlocks) : (Batch.BlockTables, Batch.MaxBlocks);
        headsEach = arguments.QueryHeads / arguments.KeyValueHeads;
        parts = (headsEach + HeadsPerItem - 1) / HeadsPerItem;
    }

    public override int Prepare()
    {
        var tiles = 0;
        for (var i = 0; i < Batch.SequenceCount; i++)
            tiles += Tiles(i);
        return tiles * arguments.KeyValueHeads * parts;
    }

    public override void Run(int item, int thread)
    {
        var (tile, part) = Math.DivRem(item, arguments.KeyValueHeads * parts);
        (var head, part) = Math.DivRem(part, parts);
        var firstHead = part * HeadsPerItem;
        var sequence = 0;
        for (; tile >= Tiles(sequence); sequence++)
            tile -= Tiles(sequence);
        var first = Batch.SequenceStarts[sequence] + (tile * TokensPerItem);
        var end = Math.Min(first + TokensPerItem, Batch.SequenceStarts[sequence + 1]);
        fixed (int* blocks = &tables[sequence * tableBlocks])
            AttentionKernel<TSimd, TVector, TCache>.Run(
                arguments, blocks, head, (head * headsEach) + firstHead, Math.Min(HeadsPerItem, headsEach - firstHead), first, end, isOfSource ? 0 : Batch.PrefixLengths[sequence], Context.Scratch(thread));
    }

    private int Tiles(int sequence) =>
        (Batch.SequenceStarts[sequence + 1] - Batch.SequenceStarts[sequence] + TokensPerItem - 1) / TokensPerItem;
}

using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.Operations;

/// <summary><see cref="Graph.AttentionNode"/>: an item is one key/value head and up to 16 tokens of one sequence.</summary>
internal sealed unsafe class AttentionOperation<TSimd, TVector, TCache> : Operation
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    private const int TokensPerItem = 16;

    private readonly AttentionArguments arguments;

    public AttentionOperation(ProgramContext context, in AttentionArguments arguments)
        : base(context) => this.arguments = arguments;

    public override int Prepare()
    {
        var tiles = 0;
        for (var i = 0; i < Batch.SequenceCount; i++)
            tiles += Tiles(i);
        return tiles * arguments.KeyValueHeads;
    }

    public override void Run(int item, int thread)
    {
        var (tile, head) = Math.DivRem(item, arguments.KeyValueHeads);
        var sequence = 0;
        for (; tile >= Tiles(sequence); sequence++)
            tile -= Tiles(sequence);
        var first = Batch.SequenceStarts[sequence] + (tile * TokensPerItem);
        var end = Math.Min(first + TokensPerItem, Batch.SequenceStarts[sequence + 1]);
        fixed (int* blocks = &Batch.BlockTables[sequence * Batch.MaxBlocks])
            AttentionKernel<TSimd, TVector, TCache>.Run(arguments, blocks, head, first, end, Context.Scratch(thread));
    }

    private int Tiles(int sequence) =>
        (Batch.SequenceStarts[sequence + 1] - Batch.SequenceStarts[sequence] + TokensPerItem - 1) / TokensPerItem;
}

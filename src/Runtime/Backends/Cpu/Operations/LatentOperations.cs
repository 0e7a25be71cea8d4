using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.KvCache;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary><see cref="HeadLinearNode"/>: an item is a range of one head's rows for all tokens.</summary>
internal sealed unsafe class HeadLinearOperation(ProgramContext context, HeadLinearNode node, MatMulKernel kernel, byte* weight, nint headBytes, float* x, float* y)
    : Operation(context)
{
    private const int ItemRows = MatMulKernel.RowBlock;

    private readonly int inputs = node.X.Width / node.Heads;
    private readonly int outputs = node.Y.Width / node.Heads;
    private readonly int itemsEach = ((node.Y.Width / node.Heads) + ItemRows - 1) / ItemRows;

    public override int Prepare() => Batch.TokenCount == 0 ? 0 : node.Heads * itemsEach;

    public override void Run(int item, int thread)
    {
        var (head, part) = Math.DivRem(item, itemsEach);
        var scratch = Context.Scratch(thread);
        var arguments = new MatMulArguments
        {
            X = x + ((nint)head * inputs),
            XStride = node.X.Width,
            // A head has few inputs: every item packs its own. The product of few tokens needs no other scratch.
            PackedX = scratch,
            W = weight + (head * headBytes),
            Y = y + ((nint)head * outputs),
            YStride = node.Y.Width,
            N = Batch.TokenCount,
            K = inputs,
        };
        if (arguments.N <= MatMulKernel.FewTokens)
            kernel.Pack(arguments, scratch);
        kernel.Run(arguments, part * ItemRows, Math.Min((part + 1) * ItemRows, outputs), scratch);
    }
}

/// <summary>Where a <see cref="LatentWriteNode"/> finds its values.</summary>
internal unsafe struct LatentWriteArguments
{
    public float* TurnedQueries;
    public float* LatentQueries;
    public float* TurnedKey;
    public float* Latent;
    public float* Queries;

    /// <summary>The layer's cache, [block, 16, paddedD].</summary>
    public byte* Cache;
}

/// <summary><see cref="LatentWriteNode"/>.</summary>
internal sealed unsafe class LatentWriteOperation<TSimd, TVector, TCache>(
    ProgramContext context, AttentionDescription attention, RotaryTable table, in LatentWriteArguments arguments)
    : RowOperation(context, Rows.Tokens)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    private readonly LatentWriteArguments arguments = arguments;
    private readonly int heads = attention.QueryHeads;
    private readonly int size = attention.HeadSize;
    private readonly int padded = AttentionKernel.PaddedHeadSize(attention.HeadSize);
    private readonly int turned = attention.HeadSize - attention.Latent!.Rank;

    protected override void Begin() => table.Prepare(Batch);

    [MethodImpl(Hot.Path)]
    protected override void RunRow(int row, int thread)
    {
        var latent = size - turned;
        for (var head = 0; head < heads; head++)
        {
            var index = ((nint)row * heads) + head;
            Join(arguments.TurnedQueries + (index * turned), arguments.LatentQueries + (index * latent), arguments.Queries + (index * size), row);
        }

        var key = stackalloc float[padded];
        new Span<float>(key + size, padded - size).Clear();
        Join(arguments.TurnedKey + ((nint)row * turned), arguments.Latent + ((nint)row * latent), key, row);
        var target = arguments.Cache + ((nint)Batch.Slots[row] * padded * TCache.ElementSize);
        for (var d = 0; d < padded; d += TSimd.Width)
            TCache.Store<TSimd, TVector>(target + (d * TCache.ElementSize), TSimd.Load(key + d));
    }

    /// <summary>[turned first, second].</summary>
    private void Join(float* first, float* second, float* target, int row)
    {
        new Span<float>(first, turned).CopyTo(new Span<float>(target, turned));
        HeadTurn<TSimd, TVector>.Apply(target, table.Row(Batch, row), turned / 2);
        new Span<float>(second, size - turned).CopyTo(new Span<float>(target + turned, size - turned));
    }
}

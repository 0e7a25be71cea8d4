using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.KvCache;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary><see cref="RotaryCacheWriteNode"/>: turns queries in place, norms heads that are normed last, and stores turned keys and the values in the token's slot.</summary>
internal sealed unsafe class RotaryCacheWriteOperation<TSimd, TVector, TCache>(
    ProgramContext context, AttentionDescription attention, RotaryTable? table, HeadNormOperation<TSimd, TVector>? norm, float* qkv, int stride, byte* keys, byte* values)
    : RowOperation(context, Rows.Tokens)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    private const int BlockSize = BlockPool.BlockSize;

    private readonly int size = attention.HeadSize;
    private readonly int padded = AttentionKernel.PaddedHeadSize(attention.HeadSize);

    protected override void Begin() => table?.Prepare(Batch);

    [MethodImpl(Hot.Path)]
    protected override void RunRow(int row, int thread)
    {
        var q = qkv + ((nint)row * stride);
        var k = q + ((nint)attention.QueryHeads * size);
        var v = k + ((nint)attention.KeyValueHeads * size);
        if (table is not null)
        {
            var spans = attention.Rotary!.Spans;
            var joint = stackalloc float[spans ? table.Size : 0];
            var angles = table.Row(Batch, row);
            if (spans)
                table.Join(Batch, row, angles = joint);
            for (var head = 0; head < attention.QueryHeads + attention.KeyValueHeads; head++)
                HeadTurn<TSimd, TVector>.Apply(q + (head * size), angles + (head < attention.QueryHeads ? 0 : table.KeyOffset), table.Size / 2);
        }

        norm?.Apply(row);
        var (block, offset) = Math.DivRem(Batch.Slots[row], BlockSize);
        var first = (nint)block * attention.KeyValueHeads;
        var padding = stackalloc float[padded];
        new Span<float>(padding, padded).Clear();
        var column = stackalloc byte[padded * TCache.ElementSize];
        for (var head = 0; head < attention.KeyValueHeads; head++)
        {
            var index = first + head;
            Store(k + (head * size), padding, column);
            Scatter(column, keys + (((index * size * BlockSize) + offset) * TCache.ElementSize));
            Store(v + (head * size), padding, values + (((index * BlockSize) + offset) * padded * TCache.ElementSize));
        }
    }

    /// <summary>Stores D floats in the cache's format, padded with zeros to whole registers.</summary>
    [MethodImpl(Hot.Path)]
    private void Store(float* source, float* padding, byte* target)
    {
        if (padded != size)
        {
            new Span<float>(source, size).CopyTo(new Span<float>(padding, size));
            source = padding;
        }

        for (var d = 0; d < padded; d += TSimd.Width)
            TCache.Store<TSimd, TVector>(target + (d * TCache.ElementSize), TSimd.Load(source + d));
    }

    /// <summary>Writes a key's elements one block row apart.</summary>
    [MethodImpl(Hot.Path)]
    private void Scatter(byte* column, byte* target)
    {
        if (TCache.ElementSize == 2)
        {
            for (var d = 0; d < size; d++)
                ((ushort*)target)[d * BlockSize] = ((ushort*)column)[d];
        }
        else
        {
            for (var d = 0; d < size; d++)
                ((uint*)target)[d * BlockSize] = ((uint*)column)[d];
        }
    }
}

using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
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
    private readonly int size = attention.HeadSize;
    private readonly CacheWriter<TSimd, TVector, TCache> cache = new(attention, keys, values);

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
        cache.Write(k, v, Batch.Slots[row]);
    }
}

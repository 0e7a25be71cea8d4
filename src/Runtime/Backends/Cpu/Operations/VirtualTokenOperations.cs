using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;

namespace Weft.Backends.Cpu.Operations;

/// <summary>Something done for tokens at positions below a count. They are few, and come once a sequence: one thread does it, and most steps have none.</summary>
internal abstract class VirtualTokenOperation(ProgramContext context, int count) : Operation(context)
{
    public sealed override int Prepare() => Batch.Positions.AsSpan(0, Batch.TokenCount).ContainsAnyInRange(0, count - 1) ? 1 : 0;

    public sealed override void Run(int item, int thread)
    {
        for (var row = 0; row < Batch.TokenCount; row++)
        {
            if (Batch.Positions[row] < count)
                RunRow(row, Batch.Positions[row]);
        }
    }

    protected abstract void RunRow(int row, int position);
}

/// <summary><see cref="VirtualRowsNode"/>.</summary>
internal sealed unsafe class VirtualRowsOperation(ProgramContext context, VirtualRowsNode node, float* table, float* x)
    : VirtualTokenOperation(context, node.Count)
{
    protected override void RunRow(int row, int position) =>
        new Span<float>(table + ((nint)position * node.X.Width), node.X.Width).CopyTo(new Span<float>(x + ((nint)row * node.X.Width), node.X.Width));
}

/// <summary><see cref="VirtualKeysNode"/>.</summary>
internal sealed unsafe class VirtualKeysOperation<TSimd, TVector, TCache>(ProgramContext context, VirtualKeysNode node, float* table, byte* keys, byte* values)
    : VirtualTokenOperation(context, node.Count)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    private readonly CacheWriter<TSimd, TVector, TCache> cache = new(node.Attention, keys, values);

    protected override void RunRow(int row, int position)
    {
        var k = table + ((nint)position * node.Attention.CacheSize);
        cache.Write(k, k + (node.Attention.CacheSize / 2), Batch.Slots[row]);
    }
}

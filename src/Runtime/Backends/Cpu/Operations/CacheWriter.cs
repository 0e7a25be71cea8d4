using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.Simd;
using Weft.KvCache;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary>Stores keys and values of a token in a layer's cache, in the order that <see cref="AttentionArguments"/> gives.</summary>
internal readonly unsafe struct CacheWriter<TSimd, TVector, TCache>(AttentionDescription attention, byte* keys, byte* values)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    private const int BlockSize = BlockPool.BlockSize;

    private readonly int heads = attention.KeyValueHeads;
    private readonly int size = attention.HeadSize;
    private readonly int padded = AttentionKernel.PaddedHeadSize(attention.HeadSize);

    /// <summary>Writes a token's keys [G, D] and values [G, D] to its slot.</summary>
    [MethodImpl(Hot.Path)]
    public void Write(float* k, float* v, int slot)
    {
        var (block, offset) = Math.DivRem(slot, BlockSize);
        var first = (nint)block * heads;
        var padding = stackalloc float[padded];
        new Span<float>(padding, padded).Clear();
        var column = stackalloc byte[padded * TCache.ElementSize];
        for (var head = 0; head < heads; head++)
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

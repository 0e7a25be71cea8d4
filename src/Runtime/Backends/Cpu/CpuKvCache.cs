using Weft.Backends.Cpu.Attention;
using Weft.KvCache;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cpu;

/// <summary>Storage of keys and values of all layers, block by block; <see cref="AttentionArguments"/> gives the order of elements.</summary>
internal sealed unsafe class CpuKvCache : IDisposable
{
    private readonly List<Layer> layers = [];

    public CpuKvCache(ModelDescription model, DataType type, int blocks)
    {
        Type = type;
        foreach (var kept in model.Caches)
        {
            // A layer without attention keeps its place, and no storage.
            if (kept is not { } attention)
            {
                layers.Add(new(new NativeBuffer(0), 0, new NativeBuffer(0), 0));
                continue;
            }

            var rows = (long)attention.KeyValueHeads * BlockPool.BlockSize * type.Size();
            // What latent attention keeps of a token is key and value at once, and lies as values do.
            var keyBlock = attention.Latent is null ? rows * attention.HeadSize : 0;
            var valueBlock = rows * AttentionKernel.PaddedHeadSize(attention.HeadSize);
            layers.Add(new(new NativeBuffer(blocks * keyBlock), keyBlock, new NativeBuffer(blocks * valueBlock), valueBlock));
        }
    }

    public DataType Type { get; }

    public long Bytes => layers.Sum(layer => layer.Keys.Bytes + layer.Values.Bytes);

    public byte* Keys(int cache) => layers[cache].Keys.Address;

    public byte* Values(int cache) => layers[cache].Values.Address;

    /// <summary>Copies a block's keys and values in every layer.</summary>
    public void CopyBlock(BlockId source, BlockId destination)
    {
        foreach (var (keys, keyBlock, values, valueBlock) in layers)
        {
            Buffer.MemoryCopy(
                keys.Address + (source.Value * keyBlock), keys.Address + (destination.Value * keyBlock), keyBlock, keyBlock);
            Buffer.MemoryCopy(
                values.Address + (source.Value * valueBlock), values.Address + (destination.Value * valueBlock), valueBlock, valueBlock);
        }
    }

    public void Dispose()
    {
        foreach (var layer in layers)
        {
            layer.Keys.Dispose();
            layer.Values.Dispose();
        }
    }

    /// <summary>What a layer keeps, and the bytes of one block of it.</summary>
    private sealed record Layer(NativeBuffer Keys, long KeyBlock, NativeBuffer Values, long ValueBlock);
}

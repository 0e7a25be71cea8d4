using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.KvCache;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda;

/// <summary>Keys and values of all layers on the device, each [blocks, G, 16, row], a row of <see cref="HeadSizes"/>; of latent attention one [blocks, 16, D] for both.</summary>
internal sealed class DeviceKvCache : IDisposable
{
    private readonly List<(CudaDeviceMemory Keys, CudaDeviceMemory Values)> layers = [];
    private readonly CudaDeviceMemory addresses;
    private readonly CudaDeviceMemory blockBytes;
    private readonly CudaKernel copy;
    private readonly int parts;
    private readonly CudaStream stream;

    public DeviceKvCache(CudaContext context, CudaStream stream, KernelLibrary kernels, ModelDescription model, DataType type, int blocks)
    {
        this.stream = stream;
        copy = kernels.Get(CopyKernels.Block);
        var bases = new List<ulong>();
        var bytes = new List<int>();
        foreach (var kept in model.Caches)
        {
            // A layer without attention keeps its place, and a token byte.
            var block = kept is { } attention ? BlockBytes(attention, type) : 0;
            var keys = CudaDeviceMemory.Allocate(context, Math.Max(1, blocks * block));
            var values = kept is { Latent: not null } ? keys : CudaDeviceMemory.Allocate(context, Math.Max(1, blocks * block));
            layers.Add((keys, values));
            foreach (var part in values == keys ? [keys] : (CudaDeviceMemory[])[keys, values])
            {
                bases.Add(part.Address);
                bytes.Add((int)block);
            }
        }

        parts = bases.Count;
        addresses = CudaDeviceMemory.Allocate(context, bases.Count * sizeof(ulong));
        addresses.CopyFrom<ulong>(bases.ToArray());
        blockBytes = CudaDeviceMemory.Allocate(context, bytes.Count * sizeof(int));
        blockBytes.CopyFrom<int>(bytes.ToArray());
    }

    public nuint Keys(int cache) => layers[cache].Keys.Address;

    public nuint Values(int cache) => layers[cache].Values.Address;

    /// <summary>Bytes of a cache.</summary>
    public static long CountBytes(ModelDescription model, DataType type, int blocks) =>
        model.Caches.OfType<AttentionDescription>().Sum(attention => (attention.Latent is null ? 2 : 1) * BlockBytes(attention, type)) * blocks;

    /// <summary>Submits copying a block's keys and values in every layer.</summary>
    public void CopyBlock(BlockId source, BlockId destination) => copy.Launch(stream, CopyKernels.RowShape(parts), new CopyBlockParams
    {
        Layers = addresses.Address,
        Bytes = blockBytes.Address,
        Source = source.Value,
        Target = destination.Value,
    });

    public void Dispose()
    {
        foreach (var (keys, values) in layers)
        {
            keys.Dispose();
            if (values != keys)
                values.Dispose();
        }

        addresses.Dispose();
        blockBytes.Dispose();
    }

    private static long BlockBytes(AttentionDescription attention, DataType type) =>
        (long)attention.KeyValueHeads * BlockPool.BlockSize * (attention.Latent is null ? HeadSizes.Row(attention.HeadSize) : attention.HeadSize) * type.Size();
}

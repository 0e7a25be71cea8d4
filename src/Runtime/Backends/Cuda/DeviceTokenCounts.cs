using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Sampling;

namespace Weft.Backends.Cuda;

/// <summary>Which tokens each penalised sequence has seen, and how often it generated them; the sampling kernel counts on.</summary>
internal sealed class DeviceTokenCounts : IDisposable
{
    private readonly int vocabulary;
    private readonly CudaDeviceMemory memory;
    private readonly CudaPinnedMemory pinned;
    private readonly CudaEvent copied;
    private readonly Dictionary<Sampler, int> rows = [];
    private readonly Stack<int> free;

    public DeviceTokenCounts(CudaContext context, int sequences, int vocabulary)
    {
        this.vocabulary = vocabulary;
        memory = CudaDeviceMemory.Allocate(context, CountBytes(sequences, vocabulary));
        pinned = CudaPinnedMemory.Allocate(context, (long)vocabulary * sizeof(ushort));
        copied = CudaEvent.Create(context);
        free = new(Enumerable.Range(0, sequences));
    }

    /// <summary>[sequences, V] 16 bits.</summary>
    public nuint Address => memory.Address;

    public static long CountBytes(int sequences, int vocabulary) => (long)sequences * vocabulary * sizeof(ushort);

    /// <summary>The row of a sampler, made when it is new; −1 for one without penalties.</summary>
    public int Row(Sampler sampler, CudaStream stream)
    {
        if (sampler.Penalties is not { } penalties)
            return -1;
        if (rows.TryGetValue(sampler, out var row))
            return row;
        rows[sampler] = row = free.Pop();
        copied.Synchronize();
        var counts = pinned.AsSpan<ushort>(0, vocabulary);
        counts.Clear();
        foreach (var token in penalties.Distinct)
            counts[token] = (ushort)(SamplingKernel.Seen | Math.Min(penalties.Generated(token), SamplingKernel.Seen - 1));
        var bytes = (long)vocabulary * sizeof(ushort);
        memory.CopyFromAsync(pinned.Address, row * bytes, bytes, stream);
        copied.Record(stream);
        return row;
    }

    /// <summary>Frees a sampler's row.</summary>
    public void Forget(Sampler sampler)
    {
        if (rows.Remove(sampler, out var row))
            free.Push(row);
    }

    public void Dispose()
    {
        copied.Dispose();
        pinned.Dispose();
        memory.Dispose();
    }
}

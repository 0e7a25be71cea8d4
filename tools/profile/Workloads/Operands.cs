using System.Runtime.CompilerServices;
using Weft.Interop;

namespace Weft.Profile.Workloads;

/// <summary>
/// Device memory for workloads: random bf16 numbers, many times the cache, from which launches take their inputs in turn, and arrays of
/// their own until <see cref="Release"/>.
/// </summary>
internal sealed class Operands : IDisposable
{
    private const int SeedBytes = 16 << 20;
    private const int Seed = 7;
    private const long Alignment = 4096;
    private const long Unit = 256;

    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly CudaDeviceMemory random;
    private readonly List<CudaDeviceMemory> own = [];

    /// <param name="context">Where.</param>
    /// <param name="stream">Fills memory.</param>
    /// <param name="bytes">Of random numbers.</param>
    public Operands(CudaContext context, CudaStream stream, long bytes)
    {
        (this.context, this.stream) = (context, stream);
        random = CudaDeviceMemory.Allocate(context, bytes);
        random.CopyFrom<ushort>(RandomNumbers((int)Math.Min(SeedBytes, bytes) / 2));
        for (var filled = (long)SeedBytes; filled < bytes; filled *= 2)
            random.CopyFromAsync(random, 0, filled, Math.Min(filled, bytes - filled), stream);
        stream.Synchronize();
    }

    /// <summary>Address of the <paramref name="turn"/>-th operand of this size: neighbours in time do not share cache lines.</summary>
    public nuint Random(long bytes, int turn)
    {
        var step = (bytes + Alignment - 1) / Alignment * Alignment;
        if (step > random.Bytes)
            throw new WeftException($"a workload reads {bytes} bytes, more than the {random.Bytes} bytes of random numbers");
        return random.Address + (nuint)(turn % (random.Bytes / step) * step);
    }

    /// <summary>Address of zeros that are written to.</summary>
    public nuint Zeros(long bytes)
    {
        var memory = Allocate(bytes);
        memory.FillAsync(0, stream);
        return memory.Address;
    }

    /// <summary>Address of a copy.</summary>
    public nuint Upload<T>(params ReadOnlySpan<T> values)
        where T : unmanaged
    {
        var memory = Allocate((long)values.Length * Unsafe.SizeOf<T>());
        memory.CopyFrom(values);
        return memory.Address;
    }

    // The software device puts allocations against their end: whole units begin where a GPU's would.
    private CudaDeviceMemory Allocate(long bytes)
    {
        var memory = CudaDeviceMemory.Allocate(context, (bytes + Unit - 1) / Unit * Unit);
        own.Add(memory);
        return memory;
    }

    /// <summary>Gives back all but the random numbers.</summary>
    public void Release()
    {
        stream.Synchronize();
        own.ForEach(memory => memory.Dispose());
        own.Clear();
    }

    public void Dispose()
    {
        Release();
        random.Dispose();
    }

    /// <summary>bf16 of about ±0.03 to ±2: as float32 pairs they are ordinary numbers too.</summary>
    private static ushort[] RandomNumbers(int count)
    {
        var random = new Random(Seed);
        var values = new ushort[count];
        for (var i = 0; i < count; i++)
            values[i] = (ushort)((random.Next(2) << 15) | ((122 + random.Next(6)) << 7) | random.Next(128));
        return values;
    }
}

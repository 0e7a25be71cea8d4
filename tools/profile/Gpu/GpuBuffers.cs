using Weft.Interop;

namespace Weft.Profile.Gpu;

/// <summary>Device memory of random bf16 numbers, many times the cache, that launches take their operands from in turn.</summary>
internal sealed class GpuBuffers : IDisposable
{
    private const int SeedBytes = 16 << 20;
    private const int Seed = 7;
    private const long Alignment = 4096;

    private readonly CudaDeviceMemory random;

    public GpuBuffers(CudaContext context, CudaStream stream, long bytes)
    {
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
        var places = Math.Max(1, random.Bytes / step);
        return random.Address + (nuint)(turn % places * step);
    }

    public void Dispose() => random.Dispose();

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

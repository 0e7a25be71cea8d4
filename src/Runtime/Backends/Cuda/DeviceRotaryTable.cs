using Weft.Interop;
using Weft.Models;

namespace Weft.Backends.Cuda;

/// <summary>(cos, sin) [positions, R/2] on the device, filled as far as positions have been reached.</summary>
internal sealed class DeviceRotaryTable : IDisposable
{
    private const int Chunk = 2048;

    private readonly RotaryFrequencies frequencies;
    private readonly CudaDeviceMemory memory;
    private readonly CudaPinnedMemory staging;
    private readonly CudaStream stream;
    private readonly int half;
    private readonly int positions;
    private int filled;

    public DeviceRotaryTable(CudaContext context, CudaStream stream, RotaryDescription rotary, int headSize, int positions)
    {
        frequencies = RotaryFrequencies.Compute(rotary, headSize);
        half = frequencies.Inverse.Count;
        this.stream = stream;
        this.positions = positions;
        memory = CudaDeviceMemory.Allocate(context, (long)positions * 2 * half * sizeof(float));
        staging = CudaPinnedMemory.Allocate(context, (long)Chunk * 2 * half * sizeof(float));
    }

    public nuint Address => memory.Address;

    /// <summary>Makes rows up to <paramref name="position"/> valid, before the step that needs them.</summary>
    public void Reach(int position)
    {
        while (filled <= position)
        {
            var count = Math.Min(Chunk, positions - filled);
            var rows = staging.AsSpan<float>(0, count * 2 * half);
            for (var row = 0; row < count; row++)
            {
                for (var i = 0; i < half; i++)
                {
                    var (sin, cos) = Math.SinCos((filled + row) * frequencies.Inverse[i]);
                    rows[((row * half) + i) * 2] = (float)cos * frequencies.Magnitude;
                    rows[(((row * half) + i) * 2) + 1] = (float)sin * frequencies.Magnitude;
                }
            }

            memory.CopyFromAsync(staging.Address, (long)filled * 2 * half * sizeof(float), (long)rows.Length * sizeof(float), stream);
            stream.Synchronize();
            filled += count;
        }
    }

    public void Dispose()
    {
        staging.Dispose();
        memory.Dispose();
    }
}

using System.Runtime.CompilerServices;
using Weft.Models;

namespace Weft.Backends.Cpu;

/// <summary>Cosines and sines [position][R/2 cosines, R/2 sines], filled as far as positions have been reached.</summary>
internal sealed unsafe class RotaryTable : IDisposable
{
    private readonly RotaryFrequencies frequencies;
    private readonly NativeBuffer buffer;
    private readonly int half;
    private int filled;

    public RotaryTable(RotaryDescription rotary, int headSize, int positions)
    {
        frequencies = RotaryFrequencies.Compute(rotary, headSize);
        half = frequencies.Inverse.Count;
        buffer = new NativeBuffer((long)positions * 2 * half * sizeof(float));
    }

    /// <summary>R: elements of a head that turn.</summary>
    public int Size => 2 * half;

    /// <summary>The row of <paramref name="position"/>: R/2 cosines, then R/2 sines.</summary>
    public float* Row(int position) => (float*)buffer.Address + ((nint)position * 2 * half);

    /// <summary>Makes rows up to <paramref name="position"/> valid. Called between steps' parallel pieces, by one thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Reach(int position)
    {
        for (; filled <= position; filled++)
        {
            var row = Row(filled);
            for (var i = 0; i < half; i++)
            {
                var (sin, cos) = Math.SinCos(filled * frequencies.Inverse[i]);
                row[i] = (float)cos * frequencies.Magnitude;
                row[half + i] = (float)sin * frequencies.Magnitude;
            }
        }
    }

    public void Dispose() => buffer.Dispose();
}

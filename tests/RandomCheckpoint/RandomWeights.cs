namespace Weft.RandomCheckpoint;

/// <summary>bf16 numbers of N(0, 0.02²), the same for the same seed.</summary>
/// <remarks>They are drawn from a table of 65536 normal samples: one 64-bit random number picks four, at about the speed of the disk.</remarks>
internal sealed class RandomWeights
{
    /// <summary>1 as bf16.</summary>
    public const ushort One = 0x3F80;

    private const double Deviation = 0.02;

    private readonly ushort[] samples = new ushort[1 << 16];
    private ulong state;

    public RandomWeights(ulong seed)
    {
        state = seed;
        for (var i = 0; i < samples.Length; i++)
            samples[i] = BFloat16((float)(Deviation * Normal()));
    }

    /// <summary>Fills <paramref name="values"/> with the next numbers.</summary>
    public void Fill(Span<ushort> values)
    {
        var i = 0;
        for (; i <= values.Length - 4; i += 4)
        {
            var bits = Next();
            values[i] = samples[(ushort)bits];
            values[i + 1] = samples[(ushort)(bits >> 16)];
            values[i + 2] = samples[(ushort)(bits >> 32)];
            values[i + 3] = samples[(ushort)(bits >> 48)];
        }

        for (; i < values.Length; i++)
            values[i] = samples[(ushort)Next()];
    }

    /// <summary>SplitMix64 (Steele, Lea and Flood 2014).</summary>
    private ulong Next()
    {
        state += 0x9E3779B97F4A7C15;
        var z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in (0, 1).</summary>
    private double Uniform() => ((Next() >> 11) + 0.5) / (1UL << 53);

    /// <summary>Box and Muller 1958.</summary>
    private double Normal() => Math.Sqrt(-2 * Math.Log(Uniform())) * Math.Cos(2 * Math.PI * Uniform());

    /// <summary>Rounds to nearest even.</summary>
    private static ushort BFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}

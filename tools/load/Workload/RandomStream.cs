namespace Weft.Load.Workload;

/// <summary>What random numbers are drawn for; the streams of two purposes, and of two indices of one, are independent.</summary>
internal enum RandomPurpose
{
    Arrivals,
    Prefix,
    Request,
    WarmUp,
    Calibration,
}

/// <summary>
/// Random numbers that depend on nothing but seed, purpose and index, so that a request is the same whichever worker sends it.
/// SplitMix64 (Steele, Lea, Flood 2014: Fast splittable pseudorandom number generators): streams are as cheap as numbers, which
/// System.Random's are not, and neighbouring seeds are unrelated.
/// </summary>
internal sealed class RandomStream(ulong seed, RandomPurpose purpose, long index)
{
    private const ulong Step = 0x9E3779B97F4A7C15;

    private ulong state = Mix(Mix(Mix(seed + Step) + (ulong)purpose + Step) + (ulong)index + Step);

    /// <summary>Uniform in [0, 1).</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1L << 53));

    /// <summary>Uniform in 0 … <paramref name="count"/> − 1.</summary>
    public int NextBelow(int count) => (int)Math.BigMul(Next(), (ulong)count, out _);

    /// <summary>Normal with mean 0 and deviation 1 (Box and Muller 1958).</summary>
    public double NextNormal() => Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());

    /// <summary>Exponential with mean 1.</summary>
    public double NextExponential() => -Math.Log(1 - NextDouble());

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    private ulong Next() => Mix(state += Step);
}

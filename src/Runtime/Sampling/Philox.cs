namespace Weft.Sampling;

/// <summary>
/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): random numbers as a function of a key and a
/// counter. A draw depends on (seed, step) alone, so any backend makes the same one, in any order, and nothing is kept between steps.
/// </summary>
public static class Philox
{
    private const int Rounds = 10;

    /// <summary>The four random words of a counter under a key; words and counters are least significant first.</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Block(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var even = 0xD2511F53UL * c0;
            var odd = 0xCD9E8D57UL * c2;
            (c0, c1, c2, c3) = ((uint)(odd >> 32) ^ c1 ^ k0, (uint)odd, (uint)(even >> 32) ^ c3 ^ k1, (uint)even);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>
    /// A uniform number in [0, 1), a multiple of 2⁻⁵³: the upper 53 bits of x1·2³² + x0 of the counter (step, 0) under the key seed.
    /// </summary>
    public static double Uniform(ulong seed, ulong step)
    {
        var (x0, x1, _, _) = Block((uint)step, (uint)(step >> 32), 0, 0, (uint)seed, (uint)(seed >> 32));
        return ((((ulong)x1 << 32) | x0) >> 11) * (1.0 / (1UL << 53));
    }
}

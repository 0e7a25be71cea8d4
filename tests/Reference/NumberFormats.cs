namespace Weft.Reference;

/// <summary>Floating-point formats of 16 and 8 bits as their bits define them; every value is exact in double.</summary>
public static class NumberFormats
{
    /// <summary>bfloat16: 1 sign, 8 exponent (bias 127), 7 mantissa bits.</summary>
    public static double FromBFloat16(ushort bits) => Decode(bits, exponentBits: 8, mantissaBits: 7);

    /// <summary>IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 mantissa bits.</summary>
    public static double FromFloat16(ushort bits) => Decode(bits, exponentBits: 5, mantissaBits: 10);

    /// <summary>E4M3: 1 sign, 4 exponent (bias 7), 3 mantissa bits; no infinities, and NaN where all but the sign are ones (Micikevicius et al. 2022, arXiv 2209.05433).</summary>
    public static double FromFloat8(byte bits)
    {
        if ((bits & 0x7F) == 0x7F)
            return double.NaN;
        var (sign, exponent, mantissa) = (bits < 0x80 ? 1.0 : -1.0, (bits >> 3) & 15, (bits & 7) / 8.0);
        return sign * (exponent == 0 ? mantissa * Math.Pow(2, -6) : (1 + mantissa) * Math.Pow(2, exponent - 7));
    }

    private static double Decode(int bits, int exponentBits, int mantissaBits)
    {
        var sign = (bits >> (exponentBits + mantissaBits)) == 1 ? -1.0 : 1.0;
        var largest = (1 << exponentBits) - 1;
        var exponent = (bits >> mantissaBits) & largest;
        var mantissa = (bits & ((1 << mantissaBits) - 1)) / (double)(1 << mantissaBits);
        if (exponent == largest)
            return mantissa == 0 ? sign * double.PositiveInfinity : double.NaN;
        var bias = largest / 2;
        return exponent == 0 ? sign * Math.ScaleB(mantissa, 1 - bias) : sign * Math.ScaleB(1 + mantissa, exponent - bias);
    }
}

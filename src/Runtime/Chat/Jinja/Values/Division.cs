namespace Weft.Chat.Jinja;

/// <summary>Python's division of ints: it rounds down, and the remainder has the divisor's sign.</summary>
internal static class IntegerDivision
{
    /// <summary>The quotient.</summary>
    public static Int128 Floor(Int128 a, Int128 b)
    {
        if (b == 0)
            throw new TemplateFailure("integer division or modulo by zero");
        // The one quotient that does not fit wraps around in the processor's division.
        if (b == -1)
            return checked(-a);
        var (quotient, remainder) = Int128.DivRem(a, b);
        return remainder != 0 && (remainder < 0) != (b < 0) ? quotient - 1 : quotient;
    }

    /// <summary>The remainder.</summary>
    public static Int128 Remainder(Int128 a, Int128 b)
    {
        if (b == 0)
            throw new TemplateFailure("integer modulo by zero");
        if (b == -1)
            return 0;
        var remainder = a % b;
        return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
    }
}

/// <summary>The same for floats.</summary>
internal static class FloatDivision
{
    /// <summary>The quotient.</summary>
    public static double Floor(double a, double b)
    {
        if (b == 0)
            throw new TemplateFailure("float floor division by zero");
        var remainder = a % b;
        var quotient = (a - remainder) / b;
        if (remainder != 0 && (remainder < 0) != (b < 0))
            quotient--;
        if (quotient == 0)
            return Math.CopySign(0, a / b);
        var floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    /// <summary>The remainder.</summary>
    public static double Remainder(double a, double b)
    {
        if (b == 0)
            throw new TemplateFailure("float modulo");
        var remainder = a % b;
        if (remainder == 0)
            return Math.CopySign(0, b);
        return (remainder < 0) != (b < 0) ? remainder + b : remainder;
    }
}

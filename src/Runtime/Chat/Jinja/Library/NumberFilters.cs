namespace Weft.Chat.Jinja;

/// <summary>Filters that make numbers.</summary>
internal static class NumberFilters
{
    /// <summary>The filters by name.</summary>
    public static IReadOnlyDictionary<string, Filter> All { get; } = new Dictionary<string, Filter>
    {
        ["abs"] = Abs,
        ["float"] = ToFloat,
        ["int"] = ToInt,
        ["round"] = Round,
    };

    private static Value Abs(Value value, Arguments arguments, RenderState state)
    {
        arguments.Bind("abs", 0);
        if (value is FloatValue real)
            return new FloatValue(Math.Abs(real.Number));
        if (!Arithmetic.TryNumber(value, out var number))
            throw new TemplateFailure($"bad operand type for abs(): '{value.TypeName}'");
        return number < 0 ? Arithmetic.Negate(value, state) : new IntValue(number);
    }

    private static Value ToFloat(Value value, Arguments arguments, RenderState state)
    {
        var otherwise = arguments.Bind("float", 0, "default")[0] ?? new FloatValue(0);
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        if (value is StringValue text)
        {
            state.Budget.Characters(text.Text.Length);
            return Conversion.ParseFloat(text.Text) is { } parsed ? new FloatValue(parsed) : otherwise;
        }

        return Arithmetic.TryFloat(value, out var number) ? new FloatValue(number) : otherwise;
    }

    private static Value ToInt(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("int", 0, "default", "base");
        var otherwise = bound[0] ?? IntValue.Zero;
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        if (Arithmetic.TryNumber(value, out var number))
            return new IntValue(number);
        var radix = Conversion.ToIndex(bound[1], 10);
        var real = (value as FloatValue)?.Number;
        if (value is StringValue text)
        {
            state.Budget.Characters(text.Text.Length);
            if (radix is 0 or (>= 2 and <= 36) && Conversion.ParseInteger(text.Text, (int)radix) is { } parsed)
                return new IntValue(parsed);
            real = Conversion.ParseFloat(text.Text);
        }

        if (real is not { } whole || !double.IsFinite(whole))
            return double.IsInfinity(real ?? 0) && value is FloatValue ? throw new TemplateFailure("cannot convert float infinity to integer") : otherwise;
        return Arithmetic.TryInteger(Math.Truncate(whole), out number) ? new IntValue(number)
            : throw new TemplateFailure("an integer grows beyond 128 bits");
    }

    private static Value Round(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("round", 0, "precision", "method");
        var method = bound[1] is null ? "common" : Conversion.RequireText(bound[1]!, "round()");
        if (method is not ("common" or "ceil" or "floor"))
            throw new TemplateFailure("method must be common, ceil or floor");
        var precision = Math.Clamp(Conversion.ToIndex(bound[0], 0), -400, 400);
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        if (!Arithmetic.TryFloat(value, out var number))
            throw new TemplateFailure($"type {value.TypeName} doesn't define __round__ method");
        state.Budget.Elements(32);
        if (method != "common")
            return Towards(method == "ceil" ? Math.Ceiling : Math.Floor, number, precision);
        return Arithmetic.TryNumber(value, out var integer) ? RoundInteger(integer, (int)-precision, state)
            : new FloatValue(FloatText.Round(number, (int)precision));
    }

    private static FloatValue Towards(Func<double, double> round, double number, long precision)
    {
        var scale = Math.Pow(10, precision);
        if (!double.IsFinite(number * scale) || scale == 0)
            throw new TemplateFailure("the number is too large to be rounded");
        // Python's floor and ceil give ints, which have no negative zero.
        return new((round(number * scale) + 0.0) / scale);
    }

    // Tens and hundreds: a half goes to the even one.
    private static Value RoundInteger(Int128 value, int zeros, RenderState state)
    {
        if (zeros <= 0)
            return new IntValue(value);
        if (zeros > 38)
            return IntValue.Zero;
        Int128 unit = 1;
        for (; zeros > 0; zeros--)
            unit *= 10;
        var remainder = IntegerDivision.Remainder(value, unit);
        var quotient = IntegerDivision.Floor(value, unit);
        var up = remainder > unit - remainder || (remainder == unit - remainder && !Int128.IsEvenInteger(quotient));
        return Arithmetic.Multiply(new IntValue(quotient + (up ? 1 : 0)), new IntValue(unit), state);
    }
}

using System.Diagnostics.CodeAnalysis;

namespace Weft.Chat.Jinja;

/// <summary>Python's arithmetic operators.</summary>
internal static class Arithmetic
{
    /// <summary>Whether the value is an int or a bool.</summary>
    public static bool TryNumber([NotNullWhen(true)] Value? value, out Int128 number)
    {
        number = value is IntValue integer ? integer.Number : value is BoolValue { IsTrue: true } ? 1 : 0;
        return value is IntValue or BoolValue;
    }

    /// <summary>Whether the value is an int, a bool or a float.</summary>
    public static bool TryFloat([NotNullWhen(true)] Value? value, out double number)
    {
        number = TryNumber(value, out var integer) ? (double)integer : value is FloatValue real ? real.Number : 0;
        return value is IntValue or BoolValue or FloatValue;
    }

    /// <summary>Whether the float is a whole number that an int holds.</summary>
    public static bool TryInteger(double number, out Int128 integer)
    {
        // 2^127 is the first float beyond.
        var fits = Math.Abs(number) < 1.7014118346046923e38 && Math.Floor(number) == number;
        integer = fits ? (Int128)number : 0;
        return fits;
    }

    /// <summary><c>left + right</c></summary>
    public static Value Add(Value left, Value right, RenderState state)
    {
        Require(left, right, state);
        if (left is StringValue text && right is StringValue more)
            return Concatenate(text, more, state);
        if (left is SequenceValue first && right is SequenceValue second && first.TypeName == second.TypeName)
        {
            state.Budget.Elements(first.Items.Count + (long)second.Items.Count);
            return first.With([.. first.Items, .. second.Items]);
        }

        if (left is StringValue or SequenceValue)
            throw new TemplateFailure($"can only concatenate {left.TypeName} (not \"{right.TypeName}\") to {left.TypeName}");
        return Calculate("+", left, right, static (a, b) => checked(a + b), static (a, b) => a + b);
    }

    /// <summary><c>left - right</c></summary>
    public static Value Subtract(Value left, Value right, RenderState state)
    {
        Require(left, right, state);
        return Calculate("-", left, right, static (a, b) => checked(a - b), static (a, b) => a - b);
    }

    /// <summary><c>left * right</c></summary>
    public static Value Multiply(Value left, Value right, RenderState state)
    {
        Require(left, right, state);
        if (left is StringValue or SequenceValue)
            return Repeat(left, right, state);
        if (right is StringValue or SequenceValue)
            return Repeat(right, left, state);
        return Calculate("*", left, right, static (a, b) => checked(a * b), static (a, b) => a * b);
    }

    /// <summary><c>left / right</c></summary>
    public static Value Divide(Value left, Value right, RenderState state)
    {
        Require(left, right, state);
        if (!TryFloat(left, out var a) || !TryFloat(right, out var b))
            throw Unsupported("/", left, right);
        if (b == 0)
            throw new TemplateFailure(left is FloatValue || right is FloatValue ? "float division by zero" : "division by zero");
        return new FloatValue(a / b);
    }

    /// <summary><c>left // right</c></summary>
    public static Value FloorDivide(Value left, Value right, RenderState state)
    {
        Require(left, right, state);
        return Calculate("//", left, right, IntegerDivision.Floor, FloatDivision.Floor);
    }

    /// <summary><c>left % right</c>: the remainder, or a format with its values.</summary>
    public static Value Modulo(Value left, Value right, RenderState state)
    {
        if (left is StringValue format)
            return format.With(PrintfFormat.Apply(format.Text, right, state));
        Require(left, right, state);
        return Calculate("%", left, right, IntegerDivision.Remainder, FloatDivision.Remainder);
    }

    /// <summary><c>left ** right</c></summary>
    public static Value Power(Value left, Value right, RenderState state)
    {
        Require(left, right, state);
        if (TryNumber(left, out var number) && TryNumber(right, out var exponent) && exponent >= 0)
            return new IntValue(PowerOf(number, exponent));
        return TryFloat(left, out var a) && TryFloat(right, out var b) ? new FloatValue(PowerOf(a, b)) : throw Unsupported("** or pow()", left, right);
    }

    /// <summary><c>-value</c></summary>
    public static Value Negate(Value value, RenderState state)
    {
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        if (TryNumber(value, out var number))
            return number != Int128.MinValue ? new IntValue(-number) : throw Overflow();
        return value is FloatValue real ? new FloatValue(-real.Number) : throw new TemplateFailure($"bad operand type for unary -: '{value.TypeName}'");
    }

    /// <summary><c>+value</c></summary>
    public static Value Plus(Value value, RenderState state)
    {
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        if (TryNumber(value, out var number))
            return new IntValue(number);
        return value is FloatValue ? value : throw new TemplateFailure($"bad operand type for unary +: '{value.TypeName}'");
    }

    private static StringValue Concatenate(StringValue left, StringValue right, RenderState state)
    {
        // HTML escapes the text that is added to it.
        var isMarkup = left.IsMarkup || right.IsMarkup;
        var first = isMarkup ? Html.Escape(left, state) : left;
        var second = isMarkup ? Html.Escape(right, state) : right;
        state.Budget.Text((long)first.Text.Length + second.Text.Length);
        return new(first.Text + second.Text, isMarkup);
    }

    private static Value Repeat(Value sequence, Value times, RenderState state)
    {
        if (!TryNumber(times, out var number))
            throw new TemplateFailure($"can't multiply sequence by non-int of type '{times.TypeName}'");
        // The length is paid for before anything of that length is made.
        var count = (long)Int128.Clamp(number, 0, int.MaxValue);
        if (sequence is StringValue text)
        {
            state.Budget.Text(text.Text.Length * count);
            return text.With(new System.Text.StringBuilder().Insert(0, text.Text, text.Text.Length > 0 ? (int)count : 0).ToString());
        }

        var items = ((SequenceValue)sequence).Items;
        state.Budget.Elements(items.Count * count);
        return ((SequenceValue)sequence).With([.. Enumerable.Repeat(items, items.Count > 0 ? (int)count : 0).SelectMany(part => part)]);
    }

    private static Value Calculate(
        string name, Value left, Value right, Func<Int128, Int128, Int128> integers, Func<double, double, double> floats)
    {
        if (TryNumber(left, out var a) && TryNumber(right, out var b))
        {
            try
            {
                return new IntValue(integers(a, b));
            }
            catch (OverflowException)
            {
                throw Overflow();
            }
        }

        return TryFloat(left, out var x) && TryFloat(right, out var y) ? new FloatValue(floats(x, y)) : throw Unsupported(name, left, right);
    }

    private static Int128 PowerOf(Int128 number, Int128 exponent)
    {
        if (number == 0 || number == 1 || number == -1)
            return exponent == 0 ? 1 : number < 0 && Int128.IsEvenInteger(exponent) ? 1 : number;
        Int128 result = 1;
        try
        {
            for (; exponent > 0; exponent--)
                result = checked(result * number);
        }
        catch (OverflowException)
        {
            throw Overflow();
        }

        return result;
    }

    private static double PowerOf(double number, double exponent)
    {
        if (number == 0 && exponent < 0)
            throw new TemplateFailure("0.0 cannot be raised to a negative power");
        var result = Math.Pow(number, exponent);
        if (double.IsNaN(result) && !double.IsNaN(number) && !double.IsNaN(exponent))
            throw new TemplateFailure("a negative number has no real power that is not whole");
        return double.IsFinite(result) || !double.IsFinite(number) || !double.IsFinite(exponent) ? result
            : throw new TemplateFailure("(34, 'Numerical result out of range')");
    }

    private static void Require(Value left, Value right, RenderState state)
    {
        if ((left as UndefinedValue ?? right as UndefinedValue) is { } undefined)
            throw undefined.Failure(state.Budget);
    }

    private static TemplateFailure Overflow() => new("an integer grows beyond 128 bits");

    private static TemplateFailure Unsupported(string name, Value left, Value right) =>
        new($"unsupported operand type(s) for {name}: '{left.TypeName}' and '{right.TypeName}'");
}

using System.Globalization;

namespace Weft.Chat.Jinja;

/// <summary>None.</summary>
internal sealed class NoneValue : Value
{
    /// <summary>The only one.</summary>
    public static readonly NoneValue Instance = new();

    private NoneValue()
    {
    }

    /// <inheritdoc/>
    public override string TypeName => "NoneType";

    /// <inheritdoc/>
    public override string Description => "None";

    /// <inheritdoc/>
    public override bool IsTrue => false;

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append("None");
}

/// <summary>True or False; both are numbers too.</summary>
internal sealed class BoolValue : Value
{
    /// <summary>True.</summary>
    public static readonly BoolValue True = new();

    /// <summary>False.</summary>
    public static readonly BoolValue False = new();

    private BoolValue()
    {
    }

    /// <inheritdoc/>
    public override string TypeName => "bool";

    /// <inheritdoc/>
    public override bool IsTrue => ReferenceEquals(this, True);

    /// <summary>The value of a truth.</summary>
    public static BoolValue Of(bool value) => value ? True : False;

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append(IsTrue ? "True" : "False");
}

/// <summary>An int. Python's have no bounds; 128 bits hold every identifier and count that a conversation can carry.</summary>
internal sealed class IntValue(Int128 value) : Value
{
    /// <summary>0, as sums begin.</summary>
    public static readonly IntValue Zero = new(0);

    /// <summary>The number.</summary>
    public Int128 Number => value;

    /// <inheritdoc/>
    public override string TypeName => "int";

    /// <inheritdoc/>
    public override bool IsTrue => value != 0;

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append(value.ToString(CultureInfo.InvariantCulture));
}

/// <summary>A float.</summary>
internal sealed class FloatValue(double value) : Value
{
    /// <summary>The number.</summary>
    public double Number => value;

    /// <inheritdoc/>
    public override string TypeName => "float";

    /// <inheritdoc/>
    public override bool IsTrue => value != 0;

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append(FloatText.Shortest(value));
}

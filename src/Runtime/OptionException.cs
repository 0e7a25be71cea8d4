namespace Weft;

/// <summary>An option of a request is outside its range.</summary>
public sealed class OptionException : WeftException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="option">Name of the option, as programs spell it: <c>top_p</c>.</param>
    /// <param name="message">One sentence.</param>
    public OptionException(string option, string message) : base(message) => Option = option;

    /// <summary>Name of the option, as programs spell it.</summary>
    public string Option { get; }

    /// <summary>Throws unless an option is as it must be.</summary>
    /// <param name="valid">It is.</param>
    /// <param name="option">Its name.</param>
    /// <param name="value">What it is.</param>
    /// <param name="range">What it must be: <c>from 0 (off) to 1</c>.</param>
    internal static void ThrowUnless(bool valid, string option, object? value, string range)
    {
        if (!valid)
            throw new OptionException(option, FormattableString.Invariant($"{option} is {value ?? "not given"}, but must be {range}"));
    }
}

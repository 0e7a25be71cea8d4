using System.Runtime.CompilerServices;

namespace Weft.Chat.Jinja;

/// <summary>What one rendering may use. Templates come with downloaded models, so none is trusted to end.</summary>
internal sealed record RenderLimits
{
    /// <summary>Evaluated nodes; work on long texts and lists counts as several. What is given adds to them, so that long conversations need no more.</summary>
    public int Steps { get; init; } = 300_000;

    /// <summary>Macros and recursive loops inside one another.</summary>
    public int Depth { get; init; } = 100;

    /// <summary>Characters of the output and of every text on the way to it.</summary>
    public int TextLength { get; init; } = 8 << 20;

    /// <summary>Numbers of a range; jinja2's sandbox has the same bound.</summary>
    public int RangeLength { get; init; } = 100_000;
}

/// <summary>
/// Counts down what a rendering uses. Every operation whose work or memory grows with its input asks here before it begins, so that no
/// template takes more time or memory than its steps pay for.
/// </summary>
internal sealed class Budget(RenderLimits limits)
{
    // Prices in 256ths of a step, which is some dozens of nanoseconds of tree walking: as much as making 40 characters, searching 256,
    // or making two or three values takes.
    private const int WholeStep = 256;
    private const int Element = 96;
    private const int Piece = 8;
    private const int MadeCharacter = 6;
    private const int ReadCharacter = 1;

    // Templates copy and search each message a dozen times or so, which must not cost a long conversation the steps of its template.
    private const int GivenText = 100 * WholeStep;
    private const int GivenCharacter = 128;

    private long left = (long)limits.Steps * WholeStep;
    private int depth;

    /// <summary>The bounds.</summary>
    public RenderLimits Limits => limits;

    /// <summary>A text of this length is given to the template, which may work on it.</summary>
    public void Grant(int length) => left += GivenText + ((long)length * GivenCharacter);

    /// <summary>A node is evaluated, or a value inside a value looked at.</summary>
    public void Step()
    {
        Spend(1, WholeStep);
        CheckStack();
    }

    /// <summary>Values are put in a list, read from one or thrown away.</summary>
    public void Elements(long count) => Spend(count, Element);

    /// <summary>A text of this length is made.</summary>
    public void Text(long length)
    {
        if (length > limits.TextLength)
            throw new TemplateFailure($"a text grows beyond {limits.TextLength} characters");
        Spend(length, MadeCharacter);
    }

    /// <summary>A piece of this length is added to a text.</summary>
    public void Append(long length)
    {
        Spend(1, Piece);
        Spend(length, MadeCharacter);
    }

    /// <summary>Each character of a text of this length is looked at, for its case or its kind.</summary>
    public void Characters(long length) => Spend(length, Element / 4);

    /// <summary>A text of this length is read.</summary>
    public void Scan(long length) => Spend(length, ReadCharacter);

    /// <summary>A text is searched for another, which in the worst case is compared at each position.</summary>
    public void Search(long length, long pattern) => Spend(length * (1 + (pattern / 16)), ReadCharacter);

    /// <summary>A macro or recursive loop begins.</summary>
    public void Enter()
    {
        if (++depth > limits.Depth)
            throw new TemplateFailure($"macros call each other deeper than {limits.Depth} levels");
    }

    /// <summary>It ends.</summary>
    public void Leave() => depth--;

    /// <summary>Fails while there is still stack to fail on.</summary>
    public static void CheckStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new TemplateFailure("values or calls nest too deeply");
    }

    private void Spend(long count, int price)
    {
        if (count > left / price)
            throw new TemplateFailure($"it takes more than {limits.Steps} steps");
        left -= count * price;
    }
}

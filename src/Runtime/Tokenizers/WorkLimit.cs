using System.Diagnostics;

namespace Weft.Tokenizers;

/// <summary>
/// What the blocks of a tokenizer may cost on one text. They come from files of strangers: steps that each make a text longer, or an
/// expression that tries everything, must end in an error soon. Characters are counted; only expressions, whose cost nobody knows
/// beforehand, are held to the clock, for the time that they take themselves.
/// </summary>
internal sealed class WorkLimit(long length)
{
    /// <summary>Time for one match of an expression; what the slowest honest one takes is a hundredth of it.</summary>
    public static readonly TimeSpan OneMatch = TimeSpan.FromMilliseconds(300);

    private const int Least = 4096;
    private const int PerCharacter = 256;

    private long characters = Least + (PerCharacter * length);
    private long ticks = TicksFor(length);
    private bool isRenewed;

    /// <summary>A step makes or reads a text of so many characters.</summary>
    /// <exception cref="WeftException">It is too much.</exception>
    public void Spend(long count)
    {
        characters -= count;
        if (characters < 0)
            throw new WeftException($"the tokenizer's steps make more than {PerCharacter} times as much of a text of {length} characters");
    }

    /// <summary>An expression ran since <paramref name="start"/>; returns whether it may go on.</summary>
    public bool SpendTime(ref long start)
    {
        var now = Stopwatch.GetTimestamp();
        ticks -= now - start;
        start = now;
        return ticks > 0;
    }

    /// <summary>
    /// An expression ran out of time; returns whether it gets it once again. The clock also runs while a thread waits for its
    /// processor, and that happens to one text of a busy machine, but hardly twice in a row.
    /// </summary>
    public bool Renew()
    {
        if (isRenewed)
            return false;
        isRenewed = true;
        ticks = TicksFor(length);
        return true;
    }

    private static long TicksFor(long length) => (long)((OneMatch.TotalSeconds + (2e-6 * length)) * Stopwatch.Frequency);
}

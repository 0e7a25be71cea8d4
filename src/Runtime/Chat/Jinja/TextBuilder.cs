using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>Collects text within the budget.</summary>
internal sealed class TextBuilder(Budget budget)
{
    private readonly StringBuilder text = new();

    /// <summary>What the text may still use.</summary>
    public Budget Budget => budget;

    /// <summary>Characters so far.</summary>
    public int Length => text.Length;

    /// <summary>Adds text.</summary>
    public TextBuilder Append(ReadOnlySpan<char> more)
    {
        Charge(more.Length);
        text.Append(more);
        return this;
    }

    /// <summary>Adds text.</summary>
    public TextBuilder Append(string more) => Append(more.AsSpan());

    /// <summary>Adds a character.</summary>
    public TextBuilder Append(char more) => Append(more, 1);

    /// <summary>Adds a character several times.</summary>
    public TextBuilder Append(char more, long times)
    {
        if (times <= 0)
            return this;
        Charge(times);
        text.Append(more, (int)times);
        return this;
    }

    /// <summary>Adds an escape: a backslash, a letter and hexadecimal digits.</summary>
    public TextBuilder AppendEscape(char letter, int value, int digits)
    {
        Append('\\').Append(letter);
        for (var shift = 4 * (digits - 1); shift >= 0; shift -= 4)
            Append("0123456789abcdef"[(value >> shift) & 15]);
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => text.ToString();

    private void Charge(long more)
    {
        if (text.Length + more > budget.Limits.TextLength)
            throw new TemplateFailure($"a text grows beyond {budget.Limits.TextLength} characters");
        budget.Append(more);
    }
}

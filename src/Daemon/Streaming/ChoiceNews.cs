using System.Text;

namespace Weft.Daemon.Streaming;

/// <summary>What is new of a choice.</summary>
internal sealed class ChoiceNews
{
    /// <summary>Text that became final.</summary>
    public StringBuilder Text { get; } = new();

    /// <summary>Tokens with log-probabilities, those that end a generation excluded.</summary>
    public List<TokenOutput> Tokens { get; } = [];

    /// <summary>The generation ended.</summary>
    public bool Ended { get; set; }

    /// <summary>Anything came: its prompt has been read.</summary>
    public bool IsNew { get; set; }

    /// <summary>Forgets all but the end.</summary>
    public void Clear()
    {
        IsNew = false;
        Text.Clear();
        Tokens.Clear();
    }
}

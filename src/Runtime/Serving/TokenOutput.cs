namespace Weft;

/// <summary>Why generation ended.</summary>
public enum FinishReason
{
    /// <summary>An end-of-sequence token, a stop token or a stop string.</summary>
    Stop,

    /// <summary>The token limit or the end of the context.</summary>
    Length,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}

/// <summary>A token and the natural logarithm of its probability.</summary>
/// <param name="Token">Its id.</param>
/// <param name="Value">ln p, of the model's own distribution: before penalties, bias, temperature and truncation.</param>
public readonly record struct LogProbability(int Token, float Value);

/// <summary>How probable a token was, and which were most probable in its place.</summary>
/// <param name="Chosen">The token itself.</param>
/// <param name="Top">As many as were asked for, the most probable first.</param>
public sealed record TokenLogProbabilities(LogProbability Chosen, IReadOnlyList<LogProbability> Top);

/// <summary>One token that was drawn.</summary>
/// <param name="Token">Its id.</param>
/// <param name="Text">The text that became final with it, possibly empty: half characters and what may become a stop string wait.</param>
/// <param name="LogProbabilities">Where they were asked for.</param>
/// <param name="IsEnd">It ended generation and is no part of the text: an end-of-sequence or stop token.</param>
public readonly record struct TokenOutput(int Token, string Text, TokenLogProbabilities? LogProbabilities, bool IsEnd);

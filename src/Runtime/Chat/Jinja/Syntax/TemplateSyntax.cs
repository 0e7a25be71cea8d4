using System.Diagnostics.CodeAnalysis;

namespace Weft.Chat.Jinja;

/// <summary>What every part of the reader shares: its bounds and its way to fail.</summary>
internal static class TemplateSyntax
{
    /// <summary>Characters of the longest template that is read.</summary>
    public const int LongestTemplate = 1 << 20;

    /// <summary>Levels that blocks, brackets and operators may nest. Python's own parser stops at 200 brackets.</summary>
    public const int DeepestNesting = 200;

    private const int LongestReason = 200;

    /// <summary>Refuses the template.</summary>
    [DoesNotReturn]
    public static void Fail(int line, string reason) => throw Failure(line, reason);

    /// <summary>The exception that refuses the template. Reasons quote it, and what they quote can be as long as it.</summary>
    public static WeftException Failure(int line, string reason) =>
        new($"Line {line} of the chat template cannot be read: {(reason.Length > LongestReason ? reason[..LongestReason] + "…" : reason)}");
}

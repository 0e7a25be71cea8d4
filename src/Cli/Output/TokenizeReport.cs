namespace Weft.Cli.Output;

/// <summary>What <c>weft tokenize</c> found.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Pieces">The text of each on its own; a piece of a character shows as U+FFFD.</param>
internal sealed record TokenizeReport(IReadOnlyList<int> Ids, IReadOnlyList<string> Pieces);

namespace Weft.Cli.Output;

/// <summary>One checkpoint of a folder on one device.</summary>
/// <param name="Checkpoint">Name of its folder.</param>
/// <param name="Device">As given.</param>
/// <param name="Report">What was found; null when it could not be run.</param>
/// <param name="Refusal">Why it could not be run, or null.</param>
internal sealed record VerifyRow(string Checkpoint, string Device, VerifyReport? Report, string? Refusal);

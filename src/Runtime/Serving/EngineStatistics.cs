namespace Weft;

/// <summary>The state of an engine at one moment.</summary>
/// <param name="Running">Requests that take part in steps.</param>
/// <param name="Waiting">Requests that wait.</param>
/// <param name="CacheBlocks">Blocks of the key/value cache.</param>
/// <param name="UsedBlocks">Those that running requests hold.</param>
/// <param name="Preemptions">Sequences that had to give way so far.</param>
/// <param name="PrefixQueries">Tokens of prompts looked for in the prefix cache so far.</param>
/// <param name="PrefixHits">Those that it had.</param>
/// <param name="Steps">Steps so far.</param>
public sealed record EngineStatistics(
    int Running, int Waiting, int CacheBlocks, int UsedBlocks, long Preemptions, long PrefixQueries, long PrefixHits, long Steps)
{
    /// <summary>Share of the cache in use, from 0 to 1.</summary>
    public double CacheUsage => (double)UsedBlocks / CacheBlocks;
}

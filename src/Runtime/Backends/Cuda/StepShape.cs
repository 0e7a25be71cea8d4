using Weft.KvCache;
using Weft.Sampling;
using Weft.Scheduling;

namespace Weft.Backends.Cuda;

/// <summary>How a step draws tokens from its rows of logits.</summary>
internal enum Drawing
{
    /// <summary>Not at all: the host reads the logits.</summary>
    None,

    /// <summary>The largest logit of each.</summary>
    Greedy,

    /// <summary>As each row's options say.</summary>
    Sampled,
}

/// <summary>What launches of a step depend on. Steps of the same shape are the same launches, so a captured graph is kept under it.</summary>
/// <param name="Tokens">N, padding included.</param>
/// <param name="LogitRows">R, padding included.</param>
/// <param name="Places">Places of the decode attention, one for each token that was drawn, empty ones included.</param>
/// <param name="Positions">Longest context of a place, rounded up to a power of two.</param>
/// <param name="Tiles">Tiles of the prefill attention.</param>
/// <param name="TableBlocks">Row length of the block tables: what the longest sequence's bucket needs, so that short contexts copy little.</param>
/// <param name="Drawing">What the sampling does.</param>
/// <param name="SourcePositions">Longest source that a sequence attends to, rounded up to a power of two; 0 where there are none.</param>
internal readonly record struct StepShape(int Tokens, int LogitRows, int Places, int Positions, int Tiles, int TableBlocks, Drawing Drawing, int SourcePositions)
{
    /// <summary>Row length of the block tables of sources.</summary>
    public int SourceTableBlocks => BlockPool.BlocksFor(SourcePositions);

    /// <summary>Steps of at most this many single tokens are padded to a power of two and captured.</summary>
    public const int MostPlaces = 256;

    private const int LeastPositions = 256;

    /// <summary>The launches repeat from step to step.</summary>
    public bool IsCapturable => Tiles == 0 && Tokens <= MostPlaces && LogitRows == Tokens;

    /// <summary>Contexts of up to <paramref name="positions"/> belong to the bucket of this many.</summary>
    public static int LongestPositions(int positions) => Math.Max(LeastPositions, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)positions));

    /// <summary>What steps of up to <paramref name="sequences"/> single tokens are padded to at most.</summary>
    public static int LargestBucket(int sequences) => Bucket(Math.Min(sequences, MostPlaces));

    /// <summary>The shape of what <paramref name="batch"/> holds.</summary>
    public static StepShape Of(StepBatch batch, int tokensPerTile)
    {
        var (places, longestPlace, longest, tiles, longestSource) = (0, 0, 0, 0, 0);
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            var (start, end) = (batch.SequenceStarts[sequence], batch.SequenceStarts[sequence + 1]);
            var context = batch.Positions[end - 1] + 1;
            longest = Math.Max(longest, context);
            if (batch.Source is not null)
                longestSource = Math.Max(longestSource, batch.SourcePositions[start] + 1);
            var promptEnd = batch.PromptEnds[sequence];
            places += end - promptEnd;
            if (end > promptEnd)
                longestPlace = Math.Max(longestPlace, context);
            tiles += (promptEnd - start + tokensPerTile - 1) / tokensPerTile;
        }

        var positions = LongestPositions(longestPlace);
        var blocks = BlockPool.BlocksFor(LongestPositions(longest));
        var sources = longestSource == 0 ? 0 : LongestPositions(longestSource);
        var drawing = DrawingOf(batch.Samplers.AsSpan(0, batch.LogitRowCount));
        if (tiles > 0 || batch.TokenCount > MostPlaces || batch.LogitRowCount != batch.TokenCount)
            return new(batch.TokenCount, batch.LogitRowCount, places, positions, tiles, blocks, drawing, sources);
        var bucket = Bucket(batch.TokenCount);
        return new(bucket, bucket, bucket, positions, 0, blocks, drawing, sources);
    }

    private static int Bucket(int tokens) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)tokens);

    private static Drawing DrawingOf(ReadOnlySpan<Sampler?> samplers)
    {
        var drawing = Drawing.None;
        foreach (var sampler in samplers)
        {
            if (sampler is { Options.Temperature: > 0 })
                return Drawing.Sampled;
            if (sampler is not null)
                drawing = Drawing.Greedy;
        }

        return drawing;
    }
}

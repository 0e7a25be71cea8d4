using System.Runtime.CompilerServices;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.KvCache;
using Weft.Scheduling;

namespace Weft.Backends.Cuda;

/// <summary>
/// A step's input on the device: one copy from pinned memory. A step of single tokens is padded to its bucket, which one captured graph
/// serves: padding reads token 0 and writes nothing to the cache.
/// </summary>
internal sealed class DeviceBatch : IDisposable
{
    private readonly StepBatch batch;
    private readonly CudaPinnedMemory pinned;
    private readonly CudaDeviceMemory memory;
    private readonly CudaEvent copied;
    private readonly DeviceTokenCounts counts;
    private readonly int maxTiles;

    // Offsets in integers.
    private readonly int positions;
    private readonly int textPositions;
    private readonly int spanPositions;
    private readonly int prefixLengths;
    private readonly int slots;
    private readonly int logitRows;
    private readonly int promptEnds;
    private readonly int decodeRows;
    private readonly int decodeTables;
    private readonly int tiles;
    private readonly int samplingOptions;
    private readonly int stateSlots;
    private readonly int stateSources;
    private readonly int sequenceStarts;
    private readonly int snapshots;
    private readonly int blockTables;
    private readonly int sourcePositions;
    private readonly int sourceTables;
    private readonly int drawn;
    private readonly int logitDrawn;

    public DeviceBatch(CudaContext context, StepBatch batch, DeviceTokenCounts counts, int maxTiles)
    {
        this.batch = batch;
        this.counts = counts;
        this.maxTiles = maxTiles;
        var tokens = Math.Max(batch.MaxTokens, StepShape.LargestBucket(batch.MaxSequences));
        positions = tokens;
        textPositions = positions + (batch.HasPrefixes ? tokens : 0);
        spanPositions = textPositions + (batch.HasPrefixes ? tokens : 0);
        slots = spanPositions + tokens;
        logitRows = slots + tokens;
        var logitRowPlaces = Math.Max(batch.MaxLogitRows, StepShape.LargestBucket(batch.MaxSequences));
        drawn = logitRows + logitRowPlaces;
        logitDrawn = drawn + tokens;
        promptEnds = logitDrawn + logitRowPlaces;
        prefixLengths = promptEnds + batch.MaxSequences;
        decodeRows = prefixLengths + (batch.HasPrefixes ? batch.MaxSequences : 0);
        decodeTables = decodeRows + tokens;
        tiles = (decodeTables + tokens + 1) / 2 * 2;
        samplingOptions = tiles + (2 * maxTiles);
        MostSequences = Math.Max(batch.MaxSequences, StepShape.LargestBucket(batch.MaxSequences));
        stateSlots = samplingOptions + (logitRowPlaces * Unsafe.SizeOf<DeviceSamplingOptions>() / sizeof(int));
        stateSources = stateSlots + MostSequences;
        sequenceStarts = stateSources + MostSequences;
        snapshots = sequenceStarts + MostSequences + 1;
        sourcePositions = snapshots + tokens;
        sourceTables = sourcePositions + (batch.Source is null ? 0 : tokens);
        blockTables = sourceTables + (batch.Source is { } source ? TableSize(batch, source.MaxBlocks) : 0);
        var count = blockTables + TableSize(batch, batch.MaxBlocks);
        pinned = CudaPinnedMemory.Allocate(context, (long)count * sizeof(int));
        memory = CudaDeviceMemory.Allocate(context, (long)count * sizeof(int));
        copied = CudaEvent.Create(context);
    }

    public nuint TokenIds => memory.Address;

    public nuint Positions => At(positions);

    /// <summary>[N] positions in the text; where there are no prefixes those of before.</summary>
    public nuint TextPositions => At(textPositions);

    /// <summary>[N] positions in the span, where there are prefixes.</summary>
    public nuint SpanPositions => At(spanPositions);

    /// <summary>[B], where there are prefixes.</summary>
    public nuint PrefixLengths => At(prefixLengths);

    public nuint Slots => At(slots);

    public nuint LogitRows => At(logitRows);

    /// <summary>[N] 1 for tokens that were drawn.</summary>
    public nuint Drawn => At(drawn);

    /// <summary>[R] 1 for rows of logits of tokens that were drawn.</summary>
    public nuint LogitDrawn => At(logitDrawn);

    public nuint PromptEnds => At(promptEnds);

    public nuint DecodeRows => At(decodeRows);

    public nuint DecodeTables => At(decodeTables);

    public nuint Tiles => At(tiles);

    public nuint SamplingOptions => At(samplingOptions);

    /// <summary>[B] slot of each sequence's state after the step; −1 for places without a sequence.</summary>
    public nuint StateSlots => At(stateSlots);

    /// <summary>[B] slot of each sequence's state before the step; −1 for one that begins.</summary>
    public nuint StateSources => At(stateSources);

    /// <summary>[B + 1] first token of each sequence.</summary>
    public nuint SequenceStarts => At(sequenceStarts);

    /// <summary>[N] slot that receives a copy of the state after each token; −1 for none.</summary>
    public nuint Snapshots => At(snapshots);

    public nuint BlockTables => At(blockTables);

    /// <summary>[N] position of the last token of each token's source, where there is an encoder.</summary>
    public nuint SourcePositions => At(sourcePositions);

    /// <summary>[B, blocks] of sources, where there is an encoder.</summary>
    public nuint SourceTables => At(sourceTables);

    /// <summary>Places of sequences.</summary>
    private int MostSequences { get; }

    /// <summary>Places of sequences in a step, those without one included.</summary>
    public int Sequences(in StepShape shape) => Math.Min(shape.Tokens, MostSequences);

    /// <summary>Submits copying the step that <see cref="StepBatch"/> holds.</summary>
    /// <param name="shape">Its sizes, padding included.</param>
    /// <param name="tokensPerTile">Of the prefill attention.</param>
    /// <param name="stream">Where to.</param>
    public void Copy(in StepShape shape, int tokensPerTile, CudaStream stream)
    {
        // The copy before this one may still read the buffer.
        copied.Synchronize();
        Fill(batch.TokenIds, batch.TokenCount, 0, shape.Tokens, 0);
        Fill(batch.Positions, batch.TokenCount, positions, shape.Tokens, 0);
        if (batch.HasPrefixes)
        {
            Fill(batch.TextPositions, batch.TokenCount, textPositions, shape.Tokens, 0);
            Fill(batch.SpanPositions, batch.TokenCount, spanPositions, shape.Tokens, 0);
            Fill(batch.PrefixLengths, batch.SequenceCount, prefixLengths, batch.SequenceCount, 0);
        }

        Fill(batch.Slots, batch.TokenCount, slots, shape.Tokens, -1);
        Fill(batch.LogitRows, batch.LogitRowCount, logitRows, shape.LogitRows, 0);
        Fill(batch.PromptEnds, batch.SequenceCount, promptEnds, batch.SequenceCount, 0);
        Fill(batch.StateSlots, batch.SequenceCount, stateSlots, Sequences(shape), -1);
        Fill(batch.StateSources, batch.SequenceCount, stateSources, Sequences(shape), -1);
        Fill(batch.SequenceStarts, batch.SequenceCount + 1, sequenceStarts, Sequences(shape) + 1, batch.TokenCount);
        Fill(batch.Snapshots, batch.TokenCount, snapshots, shape.Tokens, -1);
        if (batch.Source is { } source)
        {
            Fill(batch.SourcePositions, batch.TokenCount, sourcePositions, shape.Tokens, 0);
            FillTables(batch.SourceTables, source.MaxBlocks, sourceTables, shape.SourceTableBlocks, sequence => batch.SourcePositions[batch.SequenceStarts[sequence]]);
        }

        FillTables(batch.BlockTables, batch.MaxBlocks, blockTables, shape.TableBlocks, sequence => batch.Positions[batch.SequenceStarts[sequence + 1] - 1]);
        MarkDrawn(shape);
        ListPlaces(shape.Places);
        ListSamplers(shape, stream);
        AttentionPrefillKernel.List(batch, tokensPerTile, pinned.AsSpan<AttentionTile>((long)tiles * sizeof(int), maxTiles));
        var used = blockTables + (batch.SequenceCount * shape.TableBlocks);
        memory.CopyFromAsync(pinned.Address, 0, (long)used * sizeof(int), stream);
        copied.Record(stream);
    }

    public void Dispose()
    {
        copied.Dispose();
        pinned.Dispose();
        memory.Dispose();
    }

    private void MarkDrawn(in StepShape shape)
    {
        var all = pinned.AsSpan<int>((long)drawn * sizeof(int), shape.Tokens);
        all.Clear();
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
            all[batch.PromptEnds[sequence]..batch.SequenceStarts[sequence + 1]].Fill(1);
        var rows = pinned.AsSpan<int>((long)logitDrawn * sizeof(int), shape.LogitRows);
        rows.Clear();
        for (var row = 0; row < batch.LogitRowCount; row++)
            rows[row] = all[batch.LogitRows[row]];
    }

    /// <summary>Tokens that were drawn, then empty places.</summary>
    private void ListPlaces(int places)
    {
        var rows = pinned.AsSpan<int>((long)decodeRows * sizeof(int), places);
        var tables = pinned.AsSpan<int>((long)decodeTables * sizeof(int), places);
        var count = 0;
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            for (var row = batch.PromptEnds[sequence]; row < batch.SequenceStarts[sequence + 1]; row++)
            {
                rows[count] = row;
                tables[count++] = sequence;
            }
        }

        rows[count..].Fill(-1);
        tables[count..].Clear();
    }

    private void ListSamplers(in StepShape shape, CudaStream stream)
    {
        if (shape.Drawing == Drawing.None)
            return;
        var options = pinned.AsSpan<DeviceSamplingOptions>((long)samplingOptions * sizeof(int), shape.LogitRows);
        options[batch.LogitRowCount..].Fill(DeviceSamplingOptions.None);
        for (var row = 0; row < batch.LogitRowCount; row++)
        {
            options[row] = batch.Samplers[row] is { } sampler
                ? DeviceSamplingOptions.Create(sampler, sampler.Step++, counts.Row(sampler, stream))
                : DeviceSamplingOptions.None;
        }
    }

    private void FillTables(int[] tables, int stride, int offset, int blocks, Func<int, int> lastPosition)
    {
        var target = pinned.AsSpan<int>((long)offset * sizeof(int), batch.SequenceCount * blocks);
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
            tables.AsSpan(sequence * stride, BlockPool.BlocksFor(lastPosition(sequence) + 1)).CopyTo(target[(sequence * blocks)..]);
    }

    private static int TableSize(StepBatch batch, int maxBlocks) => batch.MaxSequences * BlockPool.BlocksFor(StepShape.LongestPositions(maxBlocks * BlockPool.BlockSize));

    private void Fill(int[] source, int count, int offset, int padded, int padding)
    {
        var target = pinned.AsSpan<int>((long)offset * sizeof(int), Math.Max(count, padded));
        source.AsSpan(0, count).CopyTo(target);
        target[count..].Fill(padding);
    }

    private nuint At(int offset) => memory.Address + ((nuint)offset * sizeof(int));
}

using Weft.KvCache;
using Weft.Sampling;

namespace Weft.Scheduling;

/// <summary>
/// The input of one step, in one layout for prefill, decode and any mix: the tokens of B sequences one after another. Arrays are
/// allocated once for the largest step and pinned, so that backends may hold their addresses. Where a model has an encoder, the sources that the step
/// encodes are sequences of a batch of their own (<see cref="Source"/>).
/// </summary>
public sealed class StepBatch
{
    /// <summary>Creates a batch for at most the given sizes.</summary>
    /// <param name="maxTokens">Largest N.</param>
    /// <param name="maxSequences">Largest B.</param>
    /// <param name="maxBlocks">Most cache blocks of one sequence.</param>
    /// <param name="maxLogitRows">Largest R.</param>
    /// <param name="hasPrefixes">Sequences may have prefixes.</param>
    /// <param name="source">Receives the sources of sequences; null where there is no encoder.</param>
    public StepBatch(int maxTokens, int maxSequences, int maxBlocks, int maxLogitRows, bool hasPrefixes = false, StepBatch? source = null)
    {
        Source = source;
        SourcePositions = Pinned(source is null ? 0 : maxTokens);
        SourceTables = Pinned(source is null ? 0 : maxSequences * source.MaxBlocks);
        HasPrefixes = hasPrefixes;
        MaxTokens = maxTokens;
        MaxSequences = maxSequences;
        MaxBlocks = maxBlocks;
        MaxLogitRows = maxLogitRows;
        TokenIds = Pinned(maxTokens);
        Positions = Pinned(maxTokens);
        TextPositions = hasPrefixes ? Pinned(maxTokens) : Positions;
        SpanPositions = Pinned(hasPrefixes ? maxTokens : 0);
        PrefixLengths = Pinned(maxSequences);
        Slots = Pinned(maxTokens);
        SequenceStarts = Pinned(maxSequences + 1);
        PromptEnds = Pinned(maxSequences);
        PromptLengths = Pinned(maxSequences);
        StateSlots = Pinned(maxSequences);
        StateSources = Pinned(maxSequences);
        Snapshots = Pinned(maxTokens);
        BlockTables = Pinned(maxSequences * maxBlocks);
        LogitRows = Pinned(maxLogitRows);
        Samplers = new Sampler?[maxLogitRows];
    }

    /// <summary>N.</summary>
    public int TokenCount { get; private set; }

    /// <summary>B.</summary>
    public int SequenceCount { get; private set; }

    /// <summary>R.</summary>
    public int LogitRowCount { get; private set; }

    /// <summary>Counts the steps that were put together.</summary>
    public long Number { get; private set; }

    /// <summary>The host reads what the final norm reads of the rows of logits, too.</summary>
    public bool ReadHidden { get; set; }

    /// <summary>Largest N.</summary>
    public int MaxTokens { get; }

    /// <summary>Largest number of tokens of sequences or of sources.</summary>
    public int MostTokens => Math.Max(MaxTokens, Source?.MaxTokens ?? 0);

    /// <summary>Largest B.</summary>
    public int MaxSequences { get; }

    /// <summary>Largest R.</summary>
    public int MaxLogitRows { get; }

    /// <summary>Row length of <see cref="BlockTables"/>.</summary>
    public int MaxBlocks { get; }

    /// <summary>The sources that the step encodes, each whole; null for a model without an encoder.</summary>
    public StepBatch? Source { get; }

    /// <summary>[N] position of the last token of each token's source: what attends to a source sees it from there.</summary>
    internal int[] SourcePositions { get; }

    /// <summary>[B, MaxBlocks of <see cref="Source"/>] cache blocks of each sequence's source.</summary>
    internal int[] SourceTables { get; }

    /// <summary>[N] token ids; some may be <see cref="DrawnBy"/>.</summary>
    internal int[] TokenIds { get; }

    /// <summary>[N] position of each token in its sequence.</summary>
    internal int[] Positions { get; }

    /// <summary>Sequences may have prefixes; otherwise text positions are positions, and there are no others.</summary>
    internal bool HasPrefixes { get; }

    /// <summary>[N] position of each token in the text: what turns it, and which row of the table of positions it has.</summary>
    internal int[] TextPositions { get; }

    /// <summary>[N] position of each token in the span.</summary>
    internal int[] SpanPositions { get; }

    /// <summary>[B] how many tokens, the first of the sequence, see each other.</summary>
    internal int[] PrefixLengths { get; }

    /// <summary>[N] where each token's keys and values go: block · 16 + offset.</summary>
    internal int[] Slots { get; }

    /// <summary>[B + 1] first token of each sequence; the last entry is N.</summary>
    internal int[] SequenceStarts { get; }

    /// <summary>
    /// [B] end of each sequence's tokens that are a prompt's; the rest, to its end, were drawn. The two may be computed in different ways, and a
    /// token always in the same.
    /// </summary>
    internal int[] PromptEnds { get; }

    /// <summary>[B] tokens of the prompt that each sequence began with, whichever of them are in this step.</summary>
    internal int[] PromptLengths { get; }

    /// <summary>[B] slot in which each sequence's state is after the step; −1 where the model keeps none.</summary>
    internal int[] StateSlots { get; }

    /// <summary>[B] slot in which each sequence's state is before the step; −1 for a sequence that begins.</summary>
    internal int[] StateSources { get; }

    /// <summary>[N] slot that receives a copy of the state after each token; −1 for almost all.</summary>
    internal int[] Snapshots { get; }

    /// <summary>[B, MaxBlocks] cache blocks of each sequence, in order.</summary>
    internal int[] BlockTables { get; }

    /// <summary>[R] tokens whose logits are computed.</summary>
    internal int[] LogitRows { get; }

    /// <summary>[R] what draws a token from each row; null for one whose logits the host wants.</summary>
    internal Sampler?[] Samplers { get; }

    /// <summary>Stands for the token that the step before draws from its row <paramref name="row"/> of logits.</summary>
    public static int DrawnBy(int row) => -1 - row;

    /// <summary>Empties the batch.</summary>
    public void Clear()
    {
        TokenCount = 0;
        SequenceCount = 0;
        LogitRowCount = 0;
        ReadHidden = false;
        Number++;
        Source?.Clear();
    }

    /// <summary>Adds the next tokens of a sequence.</summary>
    /// <param name="tokens">Their ids.</param>
    /// <param name="firstPosition">Position of the first.</param>
    /// <param name="table">The sequence's blocks, already long enough for them.</param>
    /// <param name="rows">Which of them need logits.</param>
    /// <param name="drawn">How many of them, the last, were drawn and are no part of a prompt.</param>
    /// <param name="sampler">Draws a token from each of those that need logits; null for logits on the host.</param>
    /// <param name="promptLength">Tokens of the sequence's whole prompt; 0 for those up to here that were not drawn.</param>
    /// <param name="prefix">Of the sequence; one that is not in the cache yet must be among these tokens as a whole.</param>
    /// <param name="source">Blocks of its source, which is encoded or among <see cref="Source"/>; null where there is none.</param>
    internal void Add(
        ReadOnlySpan<int> tokens, int firstPosition, BlockTable table, LogitRows rows, int drawn, Sampler? sampler = null, int promptLength = 0, Prefix prefix = default, BlockTable? source = null)
    {
        if (source is not null)
        {
            source.Blocks.CopyTo(SourceTables.AsSpan(SequenceCount * Source!.MaxBlocks, Source.MaxBlocks));
            SourcePositions.AsSpan(TokenCount, tokens.Length).Fill(source.Length - 1);
        }

        Snapshots.AsSpan(TokenCount, tokens.Length).Fill(-1);
        StateSlots[SequenceCount] = table.StateSlot;
        var state = table.TakeStateSource();
        StateSources[SequenceCount] = firstPosition == 0 ? -1 : state;
        tokens.CopyTo(TokenIds.AsSpan(TokenCount));
        table.Blocks.CopyTo(BlockTables.AsSpan(SequenceCount * MaxBlocks, MaxBlocks));
        SequenceStarts[SequenceCount] = TokenCount;
        for (var i = 0; i < tokens.Length; i++)
        {
            var position = firstPosition + i;
            Positions[TokenCount] = position;
            Slots[TokenCount] = table.Slot(position);
            if (HasPrefixes)
                (TextPositions[TokenCount], SpanPositions[TokenCount]) = (prefix.TextPosition(position), prefix.SpanPosition(position));
            if (rows == Weft.LogitRows.All || (rows == Weft.LogitRows.Last && i == tokens.Length - 1))
            {
                Samplers[LogitRowCount] = sampler;
                LogitRows[LogitRowCount++] = TokenCount;
            }

            TokenCount++;
        }

        PrefixLengths[SequenceCount] = prefix.Length;
        PromptEnds[SequenceCount] = TokenCount - drawn;
        PromptLengths[SequenceCount] = promptLength > 0 ? promptLength : firstPosition + tokens.Length - drawn;
        SequenceStarts[++SequenceCount] = TokenCount;
    }

    /// <summary>Adds a whole source to the sources of the step.</summary>
    /// <param name="tokens">Their ids.</param>
    /// <param name="table">Their blocks, already long enough.</param>
    internal void AddSource(ReadOnlySpan<int> tokens, BlockTable table) =>
        Source!.Add(tokens, 0, table, Weft.LogitRows.None, 0, prefix: new(tokens.Length, null));

    /// <summary>The sequence added last copies its state on the way.</summary>
    /// <param name="snapshot">After which token, and where to; ignored if the token is not among those added.</param>
    internal void Snapshot(StateSnapshot snapshot)
    {
        var first = SequenceStarts[SequenceCount - 1];
        var index = first + snapshot.Tokens - 1 - Positions[first];
        if (index >= first && index < TokenCount)
            Snapshots[index] = snapshot.Slot;
    }

    private static int[] Pinned(int length) => GC.AllocateArray<int>(length, pinned: true);
}

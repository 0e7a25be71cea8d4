using Weft.Graph;

namespace Weft.Backends.Cpu.Operations;

/// <summary>
/// An operation that goes through each sequence's tokens in order and carries a state. An item is a block of channels of a sequence, whose part of the
/// state is one stretch of memory: it is brought to the sequence's slot, changed in place there, and copied where a snapshot is wanted. What a token
/// gives depends on the tokens before it alone, not on how they came in steps.
/// </summary>
/// <param name="context">Where states are.</param>
/// <param name="slice">This operation's of a state.</param>
/// <param name="blocks">Blocks of channels.</param>
internal abstract unsafe class StateOperation(ProgramContext context, StateSlice slice, int blocks) : Operation(context)
{
    public sealed override int Prepare() => Batch.SequenceCount * blocks;

    public sealed override void Run(int item, int thread)
    {
        var (sequence, block) = Math.DivRem(item, blocks);
        var (first, size) = Part(block);
        var state = Context.State(Batch.StateSlots[sequence]) + slice.Offset + first;
        if (Batch.StateSources[sequence] < 0)
            Clear(state, size);
        else if (Batch.StateSources[sequence] != Batch.StateSlots[sequence])
            Copy(Context.State(Batch.StateSources[sequence]) + slice.Offset + first, state, size);
        var end = Batch.SequenceStarts[sequence + 1];
        for (var token = Batch.SequenceStarts[sequence]; token < end;)
        {
            var last = token;
            while (last < end - 1 && Batch.Snapshots[last] < 0)
                last++;
            RunTokens(block, token, last + 1, state, thread);
            if (Batch.Snapshots[last] >= 0)
                Copy(state, Context.State(Batch.Snapshots[last]) + slice.Offset + first, size);
            token = last + 1;
        }
    }

    /// <summary>First number and size of a block's part of the state.</summary>
    protected abstract (int First, int Size) Part(int block);

    /// <summary>Makes the state of a sequence that begins.</summary>
    protected virtual void Clear(float* state, int size) => new Span<float>(state, size).Clear();

    /// <summary>Computes the tokens from <paramref name="first"/> to before <paramref name="end"/> of one sequence, and the state after them.</summary>
    protected abstract void RunTokens(int block, int first, int end, float* state, int thread);

    private static void Copy(float* source, float* target, int size) => new Span<float>(source, size).CopyTo(new Span<float>(target, size));
}

/// <summary>A state operation in which each channel goes its own way, with so many numbers of state a channel.</summary>
internal abstract unsafe class ChannelOperation(ProgramContext context, StateSlice slice, int channels, int numbers)
    : StateOperation(context, slice, (channels + BlockSize - 1) / BlockSize)
{
    /// <summary>Channels of a block but the last.</summary>
    protected const int BlockSize = 64;

    /// <summary>Channels in all.</summary>
    protected int Channels { get; } = channels;

    protected sealed override (int First, int Size) Part(int block) => (block * BlockSize * numbers, Width(block) * numbers);

    protected sealed override void RunTokens(int block, int first, int end, float* state, int thread) =>
        RunChannels(block * BlockSize, Width(block), first, end, state);

    /// <summary>Computes the channels from <paramref name="channel"/> on; the state is [numbers, width].</summary>
    protected abstract void RunChannels(int channel, int width, int first, int end, float* state);

    private int Width(int block) => Math.Min(BlockSize, Channels - (block * BlockSize));
}

namespace Weft.Backends.Cpu.Operations;

/// <summary>Addresses and sizes that operations are bound to when a program is built; those of an encoder to one over the batch of sources.</summary>
internal sealed unsafe class ProgramContext : IDisposable
{
    private readonly int stride;
    private readonly NativeBuffer scratch;
    private readonly NativeBuffer packed;

    /// <param name="batch">Input of every step.</param>
    /// <param name="threads">Threads of the pool.</param>
    /// <param name="scratchFloats">Working memory that an operation needs for each thread.</param>
    /// <param name="packedFloats">Packed activations of the largest product of few tokens.</param>
    public ProgramContext(Scheduling.StepBatch batch, int threads, int scratchFloats, long packedFloats)
    {
        Batch = batch;
        Threads = threads;
        stride = (scratchFloats + 15) / 16 * 16;
        scratch = new NativeBuffer((long)threads * stride * sizeof(float));
        packed = new NativeBuffer(packedFloats * sizeof(float));
    }

    private ProgramContext(Scheduling.StepBatch batch, ProgramContext other) =>
        (Batch, Threads, stride, scratch, packed) = (batch, other.Threads, other.stride, other.scratch, other.packed);

    public Scheduling.StepBatch Batch { get; }

    public int Threads { get; }

    /// <summary>[slots, <see cref="StateSize"/>] states of recurrent blocks.</summary>
    public float* States { get; init; }

    /// <summary>Numbers of a sequence's state.</summary>
    public nint StateSize { get; init; }

    /// <summary>The same memory over another batch, whose operations run before or after.</summary>
    public ProgramContext Over(Scheduling.StepBatch batch) => new(batch, this);

    /// <summary>The state in a slot.</summary>
    public float* State(int slot) => States + (slot * StateSize);

    /// <summary>Packed activations of the operation that runs now, shared by all threads.</summary>
    public float* Packed => (float*)packed.Address;

    /// <summary>Working memory of one thread, 64-byte aligned.</summary>
    public float* Scratch(int thread) => (float*)scratch.Address + ((nint)thread * stride);

    public void Dispose()
    {
        scratch.Dispose();
        packed.Dispose();
    }
}

/// <summary>One bound operation of a program.</summary>
internal abstract class Operation(ProgramContext context) : ParallelWork
{
    protected ProgramContext Context { get; } = context;

    protected Scheduling.StepBatch Batch => Context.Batch;

    /// <summary>Called by one thread before the items run: how many parallel items this step has.</summary>
    public abstract int Prepare();
}

/// <summary>An operation that treats rows of its input one by one. Few rows are not worth waking anyone for.</summary>
internal abstract class RowOperation(ProgramContext context, Graph.Rows rows) : Operation(context)
{
    private const int RowsPerItem = 8;

    /// <summary>Rows of this step.</summary>
    protected int Count { get; private set; }

    public sealed override int Prepare()
    {
        Count = rows == Graph.Rows.Logits ? Batch.LogitRowCount : Batch.TokenCount;
        Begin();
        return (Count + RowsPerItem - 1) / RowsPerItem;
    }

    public sealed override void Run(int item, int thread)
    {
        var end = Math.Min((item + 1) * RowsPerItem, Count);
        for (var row = item * RowsPerItem; row < end; row++)
            RunRow(row, thread);
    }

    protected virtual void Begin()
    {
    }

    protected abstract void RunRow(int row, int thread);
}

/// <summary>An operation, and the node of the graph that it belongs to.</summary>
internal sealed record BoundNode(Graph.Node Node, Operation Operation);

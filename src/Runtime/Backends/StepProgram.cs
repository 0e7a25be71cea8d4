using Weft.Scheduling;

namespace Weft.Backends;

/// <summary>
/// A graph bound to a backend: weights, cache storage, memory and kernels. The caller fills <see cref="Batch"/>, runs the step and reads
/// the logits; nothing is allocated on the way.
/// </summary>
internal abstract class StepProgram : IDisposable
{
    /// <summary>Input of the next step.</summary>
    public abstract StepBatch Batch { get; }

    /// <summary>What it runs on, for people.</summary>
    public abstract string DeviceName { get; }

    /// <summary>Element type of the key/value cache.</summary>
    public abstract Tensors.DataType CacheType { get; }

    /// <summary>Element type of what products read.</summary>
    public abstract Tensors.DataType ActivationType { get; }

    /// <summary>Bytes of cache, activations and scratch, weights excluded.</summary>
    public abstract long WorkingBytes { get; }

    /// <summary>Runs one step over <see cref="Batch"/>.</summary>
    public abstract void Run();

    /// <summary>[V] logits of row <paramref name="row"/> of the last step; valid until the next one.</summary>
    public abstract Span<float> Logits(int row);

    /// <summary>Copies a cache block in every layer.</summary>
    public abstract void CopyBlock(KvCache.BlockCopy copy);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}

using Weft.Sampling;
using Weft.Scheduling;

namespace Weft.Backends;

/// <summary>How long a node of the graph took.</summary>
/// <param name="Node">Which; null for drawing the tokens.</param>
/// <param name="Microseconds">On the device, where it is one.</param>
/// <param name="Launches">Kernels and products that it took; 0 where it ran on the host.</param>
internal readonly record struct NodeTime(Graph.Node? Node, double Microseconds, int Launches);

/// <summary>
/// A graph bound to a backend: weights, cache storage, memory and kernels. The caller fills <see cref="Batch"/>, submits the step and
/// receives what its rows of logits gave; nothing is allocated on the way. Where steps run ahead, the next may be submitted before the
/// last is received, so that the device does not wait for the host: tokens not known yet are <see cref="StepBatch.DrawnBy"/>.
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

    /// <summary>What was measured on the device when the model was loaded, and is done accordingly: a line each, for people.</summary>
    public virtual IReadOnlyList<string> MeasuredChoices => [];

    /// <summary>A step runs while the host goes on: the next may be submitted before this one is received, with tokens it draws.</summary>
    public abstract bool RunsAhead { get; }

    /// <summary>
    /// Keys and values of a token that was drawn are other bits than those of the same token in a prompt, so a request whose tokens may not depend on
    /// others has to say for each which it is, whenever it is computed; and one cannot stand for the other.
    /// </summary>
    public abstract bool TellsDrawnApart { get; }

    /// <summary>The step submitted last.</summary>
    public long LastStep { get; protected set; }

    /// <summary>Submits one step over <see cref="Batch"/>, which is free again on return.</summary>
    /// <returns>Its number, by which it is received.</returns>
    public abstract long Submit();

    /// <summary>
    /// Submits one step as <see cref="Submit"/> does, but node by node, and waits for each: what a profile of the model measures. The step
    /// is received as any other.
    /// </summary>
    public abstract IReadOnlyList<NodeTime> SubmitTimed();

    /// <summary>
    /// Waits for a step that had rows of logits, of the last two. Gives [R] the token that each row's sampler drew, or a code of
    /// <see cref="Undrawable"/>; nothing of use for rows without one, whose logits are at <see cref="Logits"/>.
    /// </summary>
    /// <exception cref="InvalidOperationException">Later steps have taken its place.</exception>
    public abstract ReadOnlySpan<int> Receive(long step);

    /// <summary>[V] logits of row <paramref name="row"/> of the step received last, for a row without sampler; valid until the next step is submitted.</summary>
    public abstract Span<float> Logits(int row);

    /// <summary>
    /// [C] what the final norm read for row <paramref name="row"/> of the step received last, if its batch asked for that
    /// (<see cref="StepBatch.ReadHidden"/>); valid until the next step is submitted.
    /// </summary>
    public abstract ReadOnlySpan<float> Hidden(int row);

    /// <summary>Copies a cache block in every layer.</summary>
    public abstract void CopyBlock(KvCache.BlockCopy copy);

    /// <summary>Frees what the program keeps for a sampler that draws no more.</summary>
    public abstract void Forget(Sampler sampler);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}

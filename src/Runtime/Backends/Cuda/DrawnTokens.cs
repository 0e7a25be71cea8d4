using Weft.Interop;

namespace Weft.Backends.Cuda;

/// <summary>
/// The tokens that steps draw: on the device, where the next step finds them, and on their way to the host for the last two steps.
/// </summary>
internal sealed class DrawnTokens : IDisposable
{
    private const int Steps = 2;

    private readonly int rows;
    private readonly CudaDeviceMemory memory;
    private readonly CudaPinnedMemory pinned;
    private readonly CudaEvent[] arrived;
    private readonly long[] steps = new long[Steps];
    private readonly int[] counts = new int[Steps];

    public DrawnTokens(CudaContext context, int rows)
    {
        this.rows = rows;
        memory = CudaDeviceMemory.Allocate(context, (long)rows * sizeof(int));
        pinned = CudaPinnedMemory.Allocate(context, (long)Steps * rows * sizeof(int));
        arrived = [CudaEvent.Create(context), CudaEvent.Create(context)];
    }

    /// <summary>[R] of the step that drew last.</summary>
    public nuint Address => memory.Address;

    /// <summary>Submits bringing a step's tokens and what was copied to the host before them.</summary>
    /// <param name="step">Number of the step.</param>
    /// <param name="count">R.</param>
    /// <param name="stream">After the step.</param>
    public void Bring(long step, int count, CudaStream stream)
    {
        var place = (int)(step % Steps);
        (steps[place], counts[place]) = (step, count);
        memory.CopyToAsync(pinned.Address + (place * rows * sizeof(int)), 0, (long)count * sizeof(int), stream);
        arrived[place].Record(stream);
    }

    /// <summary>Waits for a step's tokens.</summary>
    public ReadOnlySpan<int> Receive(long step)
    {
        var place = (int)(step % Steps);
        if (steps[place] != step)
            throw new InvalidOperationException($"Step {step} was not received before step {steps[place]} was submitted.");
        arrived[place].Synchronize();
        return pinned.AsSpan<int>((long)place * rows * sizeof(int), counts[place]);
    }

    public void Dispose()
    {
        foreach (var point in arrived)
            point.Dispose();
        pinned.Dispose();
        memory.Dispose();
    }
}

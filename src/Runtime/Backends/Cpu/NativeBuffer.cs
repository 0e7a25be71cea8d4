using System.Runtime.InteropServices;

namespace Weft.Backends.Cpu;

/// <summary>One owner of 64-byte aligned, zeroed native memory; kernels see pointers into it.</summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private void* memory;

    public NativeBuffer(long bytes)
    {
        Bytes = Math.Max(bytes, 1);
        // Zeroed pages come from the system untouched, so a cache for a long context costs memory only where it is used.
        memory = NativeMemory.AllocZeroed((nuint)Bytes + 64);
        Address = (byte*)(((nuint)memory + 63) & ~(nuint)63);
        GC.AddMemoryPressure(Bytes);
    }

    ~NativeBuffer() => Free();

    public long Bytes { get; }

    public byte* Address { get; private set; }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (memory == null)
            return;
        NativeMemory.Free(memory);
        GC.RemoveMemoryPressure(Bytes);
        memory = null;
        Address = null;
    }
}

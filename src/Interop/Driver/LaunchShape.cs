using System.Runtime.InteropServices;

namespace Weft.Interop;

/// <summary>Grid and block of a launch.</summary>
/// <param name="GridX">Blocks, fastest dimension.</param>
/// <param name="GridY">Blocks, second dimension.</param>
/// <param name="GridZ">Blocks, third dimension.</param>
/// <param name="BlockX">Threads of a block.</param>
/// <param name="SharedBytes">Dynamic shared memory of a block.</param>
public readonly record struct LaunchShape(int GridX, int GridY, int GridZ, int BlockX, int SharedBytes);

/// <summary>How a launch relates to the one before it.</summary>
public enum LaunchOrder
{
    /// <summary>After it has ended.</summary>
    Sequential,

    /// <summary>
    /// Its blocks may start while the one before it ends; the kernel waits where it needs the results (programmatic dependent launch,
    /// compute capability 9.0; sequential elsewhere).
    /// </summary>
    Overlapping,
}

/// <summary>CUlaunchConfig.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfig
{
    public uint GridX;
    public uint GridY;
    public uint GridZ;
    public uint BlockX;
    public uint BlockY;
    public uint BlockZ;
    public uint SharedBytes;
    public nint Stream;
    public LaunchAttribute* Attributes;
    public uint AttributeCount;
}

/// <summary>CUlaunchAttribute: an id and a union of 64 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    public const int ProgrammaticStreamSerialization = 6;

    [FieldOffset(0)]
    public int Id;

    [FieldOffset(8)]
    public int Value;
}

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Weft.Backends.Cpu.Words;

/// <summary>
/// Products of 16-bit activations, which are two bytes each, with the codes of 32 rows of weights, one chunk of columns after another, as <see cref="WordMatMulKernel{TUnit}"/> wants them.
/// Belongs to a thread.
/// </summary>
internal unsafe interface IProductUnit
{
    /// <summary>Before a thread's products.</summary>
    /// <param name="tokens">In all, at least 2.</param>
    /// <param name="columns">Most of a chunk: 32, 64 or 128.</param>
    void Begin(int tokens, int columns);

    /// <summary>After them.</summary>
    void End();

    /// <summary>Adds to the sums of some tokens what a chunk gives: (exact sum · x's scale + zero · x's sum) · scale, with <see cref="ChunkOperands.Add"/> or just as it does.</summary>
    /// <param name="codes">[units, 2, 16, 16, 4] unsigned bytes: rows of weights by sixteens, four columns, row, column; a unit is 64 columns, or the chunk if that is smaller.</param>
    /// <param name="columns">Of the chunk; the last may have one unit of two.</param>
    /// <param name="chunk">The rest.</param>
    void Multiply(byte* codes, int columns, in ChunkOperands chunk);
}

/// <summary>What meets the codes of a chunk. Machine code knows the places of the members.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ChunkOperands
{
    /// <summary>Of the chunk's group, for the first sixteen rows.</summary>
    public Vector512<float> Scale;

    /// <summary>Zero points less than zero, for the first sixteen rows.</summary>
    public Vector512<float> Zero;

    /// <summary>For the other sixteen.</summary>
    public Vector512<float> OtherScale;

    /// <summary>For the other sixteen.</summary>
    public Vector512<float> OtherZero;

    /// <summary>[tokens] of the activations in this chunk.</summary>
    public float* XScales;

    /// <summary>[tokens] of the activations in this chunk.</summary>
    public float* XSums;

    /// <summary>[tokens, (high, low), 64] of the first unit.</summary>
    public byte* X;

    /// <summary>To the second unit.</summary>
    public nint UnitBytes;

    /// <summary>As many as were said before, or at least 8.</summary>
    public int Tokens;

    /// <summary>[tokens, 32] that the products are added to.</summary>
    public float* Sums;

    /// <summary>2 KiB for whatever.</summary>
    public int* Scratch;

    /// <summary>What all units do with the exact sums of sixteen rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> sums, Vector512<int> exact, Vector512<float> xScale, Vector512<float> xSum, Vector512<float> scale, Vector512<float> zero) =>
        Vector512.FusedMultiplyAdd(Vector512.FusedMultiplyAdd(zero, xSum, Vector512.ConvertToSingle(exact) * xScale), scale, sums);
}

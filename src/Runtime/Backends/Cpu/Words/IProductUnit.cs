using System.Runtime.Intrinsics;

namespace Weft.Backends.Cpu.Words;

/// <summary>
/// Exact products of 16-bit activations, which are two bytes each, with the codes of 32 rows of weights, one chunk of columns after another, as <see cref="WordMatMulKernel{TUnit}"/> wants them.
/// Belongs to a thread.
/// </summary>
internal unsafe interface IProductUnit
{
    /// <summary>Before a thread's products.</summary>
    /// <param name="tokens">That are multiplied at a time, at most 8.</param>
    /// <param name="columns">Most of a chunk: 32, 64 or 128.</param>
    void Begin(int tokens, int columns);

    /// <summary>After them.</summary>
    void End();

    /// <summary>Takes the codes of a chunk.</summary>
    /// <param name="codes">[units, 2, 16, 16, 4] unsigned bytes: rows of weights by sixteens, four columns, row, column; a unit is 64 columns, or the chunk if that is smaller.</param>
    /// <param name="columns">Of the chunk; the last may have one unit of two.</param>
    void Load(byte* codes, int columns);

    /// <summary>Multiplies the chunk with the tokens.</summary>
    /// <param name="x">[tokens, (high, low), 64] of the first unit.</param>
    /// <param name="unitBytes">To the second unit.</param>
    /// <param name="sums">2 KiB for <see cref="Sum"/> to read.</param>
    void Multiply(byte* x, nint unitBytes, int* sums);

    /// <summary>The products of a token with sixteen rows, added up over the chunk.</summary>
    /// <param name="sums">What <see cref="Multiply"/> left.</param>
    /// <param name="token">Among the tokens.</param>
    /// <param name="block">First or second sixteen rows.</param>
    static abstract Vector512<int> Sum(int* sums, int token, int block);
}

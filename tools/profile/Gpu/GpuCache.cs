using Weft.Interop;

namespace Weft.Profile.Gpu;

/// <summary>The index arrays of a paged cache: sequences of equal length, blocks in a shuffled order, as a running server has them.</summary>
internal sealed class GpuCache : IDisposable
{
    public const int BlockSize = 16;

    private readonly CudaDeviceMemory memory;

    /// <param name="context">Where.</param>
    /// <param name="sequences">B.</param>
    /// <param name="positions">Context of each.</param>
    /// <param name="first">Position of a sequence's first token in the step.</param>
    /// <param name="tokens">Tokens of a sequence in the step.</param>
    public GpuCache(CudaContext context, int sequences, int positions, int first, int tokens)
    {
        MaxBlocks = (positions + BlockSize - 1) / BlockSize;
        Blocks = sequences * MaxBlocks;
        var tables = Enumerable.Range(0, Blocks).ToArray();
        new Random(3).Shuffle(tables);
        int[] all =
        [
            .. Enumerable.Range(0, sequences),
            .. Enumerable.Range(0, sequences + 1).Select(sequence => sequence * tokens),
            .. Enumerable.Range(0, sequences).SelectMany(_ => Enumerable.Range(first, tokens)),
            .. tables,
        ];
        memory = CudaDeviceMemory.Allocate(context, (long)all.Length * sizeof(int));
        memory.CopyFrom<int>(all);
        Rows = memory.Address;
        Starts = Rows + ((nuint)sequences * sizeof(int));
        Positions = Starts + ((nuint)(sequences + 1) * sizeof(int));
        Tables = Positions + ((nuint)(sequences * tokens) * sizeof(int));
    }

    /// <summary>Blocks of all sequences.</summary>
    public int Blocks { get; }

    /// <summary>Blocks of one.</summary>
    public int MaxBlocks { get; }

    /// <summary>[B] 0, 1, 2 …: rows and tables alike when each sequence has one token.</summary>
    public nuint Rows { get; }

    /// <summary>[B + 1].</summary>
    public nuint Starts { get; }

    /// <summary>[N].</summary>
    public nuint Positions { get; }

    /// <summary>[B, MaxBlocks].</summary>
    public nuint Tables { get; }

    public void Dispose() => memory.Dispose();
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Weft.Backends.Cpu.Words;

/// <summary>Products in the matrix unit: a token's two bytes are two rows of a tile.</summary>
internal unsafe struct TileProducts : IProductUnit
{
    private bool isTwo;

    /// <inheritdoc/>
    public readonly void Begin(int tokens, int columns) => TileUnit.Configure(2 * tokens, Math.Min(columns, WordInput.UnitColumns));

    /// <inheritdoc/>
    public readonly void End() => TileUnit.Release();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Load(byte* codes, int columns)
    {
        isTwo = columns > WordInput.UnitColumns;
        if (isTwo)
            TileUnit.LoadTwo(codes);
        else
            TileUnit.Load(codes);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Multiply(byte* x, nint unitBytes, int* sums)
    {
        if (isTwo)
            TileUnit.MultiplyTwo(x, x + unitBytes, sums);
        else
            TileUnit.Multiply(x, sums);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Sum(int* sums, int token, int block)
    {
        const int Lanes = TileUnit.TileRows;
        var rows = sums + (block * TileUnit.TileBytes / sizeof(int)) + (token * 2 * Lanes);
        return (Vector512.Load(rows) << 8) + Vector512.Load(rows + Lanes);
    }
}

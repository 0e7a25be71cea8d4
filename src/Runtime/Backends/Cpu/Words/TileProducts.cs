using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weft.Weights;

namespace Weft.Backends.Cpu.Words;

/// <summary>Products in the matrix unit: a token's two bytes are two rows of a tile, and eight tokens are a tile.</summary>
internal unsafe struct TileProducts : IProductUnit
{
    private const int TileTokens = 8;
    private const int BlockRows = QuantizedLayout.TileRows;

    /// <inheritdoc/>
    public readonly void Begin(int tokens, int columns) => TileUnit.Configure(2 * Math.Min(tokens, TileTokens), Math.Min(columns, WordInput.UnitColumns));

    /// <inheritdoc/>
    public readonly void End() => TileUnit.Release();

    /// <inheritdoc/>
    [MethodImpl(Hot.Path)]
    public readonly void Multiply(byte* codes, int columns, in ChunkOperands chunk)
    {
        var isTwo = columns > WordInput.UnitColumns;
        if (isTwo)
            TileUnit.LoadTwo(codes);
        else
            TileUnit.Load(codes);
        var sums = chunk.Sums;
        for (var token = 0; token < chunk.Tokens; token += TileTokens)
        {
            // The last eight begin early enough to be eight; those that they have twice are not added again.
            var start = Math.Max(0, Math.Min(token, chunk.Tokens - TileTokens));
            var x = chunk.X + ((nint)start * WordInput.UnitBytes);
            if (isTwo)
                TileUnit.MultiplyTwo(x, x + chunk.UnitBytes, chunk.Scratch);
            else
                TileUnit.Multiply(x, chunk.Scratch);
            var end = Math.Min(token + TileTokens, chunk.Tokens);
            for (var t = token; t < end; t++, sums += 2 * BlockRows)
            {
                var (s, sum) = (Vector512.Create(chunk.XScales[t]), Vector512.Create(chunk.XSums[t]));
                ChunkOperands.Add(Vector512.Load(sums), Sum(chunk.Scratch, t - start, 0), s, sum, chunk.Scale, chunk.Zero).Store(sums);
                ChunkOperands.Add(Vector512.Load(sums + BlockRows), Sum(chunk.Scratch, t - start, 1), s, sum, chunk.OtherScale, chunk.OtherZero).Store(sums + BlockRows);
            }
        }
    }

    /// <summary>The products of a token with sixteen rows, added up over the chunk.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Sum(int* sums, int token, int block)
    {
        const int Lanes = TileUnit.TileRows;
        var rows = sums + (block * TileUnit.TileBytes / sizeof(int)) + (token * 2 * Lanes);
        return (Vector512.Load(rows) << 8) + Vector512.Load(rows + Lanes);
    }
}

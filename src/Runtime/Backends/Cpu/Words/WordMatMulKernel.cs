using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Quantized;
using Weft.Backends.Cpu.Simd;
using Weft.Weights;

namespace Weft.Backends.Cpu.Words;

/// <summary>
/// The product with 16-bit activations, 32 rows of weights at a time. A chunk of their codes is spread once, one to a byte, and meets all tokens, eight at a time; sums over a
/// chunk are exact integers, which get the activations' and the weights' scales in the order of the chunks. So a token's numbers do not depend on how many there are.
/// </summary>
internal sealed unsafe class WordMatMulKernel<TUnit>(QuantizedLayout layout, WordInput input) : QuantizedMatMulKernel(layout)
    where TUnit : struct, IProductUnit
{
    /// <summary>Floats that a thread needs: codes of a chunk, its sums, and sums over chunks.</summary>
    public const int ScratchFloats = (2 * MostUnits * UnitSums) + (2 * UnitSums) + (MostTokens * StripRows);

    private const int BlockRows = QuantizedLayout.TileRows;
    private const int StripRows = 2 * BlockRows;
    private const int UnitTokens = 8;
    private const int UnitCodes = BlockRows * WordInput.UnitColumns;
    private const int UnitSums = UnitCodes / sizeof(int);

    // Tokens whose sums, with 32 rows each, stay in L1.
    private const int MostTokens = 128;

    private const int MostUnits = 2; // of a chunk
    private const int Ahead = 4096; // bytes of codes
    private const byte Even = 0b10_00_10_00;
    private const byte Odd = 0b11_01_11_01;

    // A chunk of fewer columns than a unit shares the unit, which is spread at once.
    private readonly int spreadColumns = Math.Max(input.ChunkColumns, WordInput.UnitColumns);

    /// <inheritdoc/>
    [MethodImpl(Hot.Path)]
    public override void Run(in MatMulArguments arguments, int firstRow, int endRow, float* scratch)
    {
        if (arguments.N == 1 && Layout.Bits == 4)
        {
            RunOne(arguments, firstRow, endRow, scratch);
            return;
        }

        var unit = default(TUnit);
        unit.Begin(Math.Min(UnitTokens, arguments.N), input.ChunkColumns);
        for (var block = firstRow / BlockRows; block * BlockRows < endRow; block += 2)
        {
            var blocks = Math.Min(2, (endRow - (block * BlockRows) + BlockRows - 1) / BlockRows);
            var strip = new Strip(arguments.W, block, blocks, scratch);
            for (int token = 0, end; token < arguments.N; token = end)
            {
                // Enough are left for another eight.
                var left = arguments.N - token;
                end = token + (left <= MostTokens ? left : Math.Min(MostTokens, left - UnitTokens));
                Multiply(ref unit, strip, new(input, arguments, token, end - token));
                for (var i = 0; i < blocks; i++)
                {
                    var row = Math.Max((block + i) * BlockRows, firstRow);
                    var endOfBlock = Math.Min((block + i + 1) * BlockRows, endRow);
                    for (var t = token; t < end; t++)
                        Write(arguments, t, row, endOfBlock, strip.Sums + ((t - token) * StripRows) + (i * BlockRows));
                }
            }
        }

        unit.End();
    }

    /// <summary>One token with int4, sixteen rows at a time and tile by tile, as memory has them.</summary>
    [MethodImpl(Hot.Path)]
    private void RunOne(in MatMulArguments arguments, int firstRow, int endRow, float* sums)
    {
        var x = new Activations(input, arguments, 0, 1);
        for (var row = firstRow; row < endRow;)
        {
            var block = row / BlockRows;
            var end = Math.Min((block + 1) * BlockRows, endRow);
            MultiplyOne(arguments.W, block, x).Store(sums);
            Write(arguments, 0, row, end, sums);
            row = end;
        }
    }

    [MethodImpl(Hot.Path)]
    private Vector512<float> MultiplyOne(byte* weights, int block, in Activations x)
    {
        byte* tile = weights + Layout.Tile(block, 0), values = x.Values;
        var (tiles, ofUnit, ofChunk) = (Layout.ColumnTiles, x.UnitBytes, input.ChunkColumns);
        var (sums, pending) = (Vector512<float>.Zero, Vector512<int>.Zero);
        for (var (t, chunk) = (0, 0); t < tiles; t++)
        {
            Prefetch(tile + Ahead);
            var (first, last) = Int4Tile.Multiply(tile, values);
            if (ofChunk == WordInput.UnitColumns / 2)
            {
                sums = Add(sums, weights, block, chunk++, first, x);
                if (chunk < input.Chunks)
                    sums = Add(sums, weights, block, chunk++, last, x);
            }
            else
            {
                pending += first + last;
                if (ofChunk == WordInput.UnitColumns || t % 2 == 1 || t == tiles - 1)
                {
                    sums = Add(sums, weights, block, chunk++, pending, x);
                    pending = default;
                }
            }

            tile += QuantizedLayout.TileBytes;
            values += ofUnit;
        }

        return sums;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<float> Add(Vector512<float> sums, byte* weights, int block, int chunk, Vector512<int> exact, in Activations x)
    {
        var (scale, zero) = Group(weights, block, Layout.Groups == 1 ? 0 : chunk * input.ChunkColumns / Layout.Quantization.GroupSize);
        return Add(sums, exact, Vector512.Create(x.Scales[(nint)chunk * x.Rows]), Vector512.Create(x.Sums[(nint)chunk * x.Rows]), scale, zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* tile)
    {
        for (var line = 0; line < QuantizedLayout.TileBytes; line += 64)
            Sse.Prefetch0(tile + line);
    }

    /// <summary>A strip with some tokens.</summary>
    [MethodImpl(Hot.Path)]
    private void Multiply(ref TUnit unit, in Strip strip, in Activations x)
    {
        new Span<float>(strip.Sums, x.Tokens * StripRows).Clear();
        byte* tiles = strip.Weights + Layout.Tile(strip.Block, 0), otherTiles = strip.Weights + Layout.Tile(strip.OtherBlock, 0);
        for (var column = 0; column < Layout.Columns; column += spreadColumns)
        {
            var units = Math.Min(spreadColumns, Layout.Columns - column + WordInput.UnitColumns - 1) / WordInput.UnitColumns;
            for (var i = 0; i < units; i++)
            {
                SpreadUnit(tiles, column + (i * WordInput.UnitColumns), strip.Codes + (i * 2 * UnitCodes));
                SpreadUnit(otherTiles, column + (i * WordInput.UnitColumns), strip.Codes + (((i * 2) + 1) * UnitCodes));
            }

            for (var inUnit = 0; inUnit < spreadColumns && column + inUnit < Layout.Columns; inUnit += input.ChunkColumns)
                MultiplyChunk(ref unit, strip, column + inUnit, strip.Codes + (inUnit * BlockRows), Math.Min(input.ChunkColumns, units * WordInput.UnitColumns), x);
        }
    }

    /// <summary>The codes of a unit's columns as bytes: [four columns, row, column].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void SpreadUnit(byte* tiles, int column, byte* codes)
    {
        var tile = tiles + ((nint)column / Layout.TileColumns * QuantizedLayout.TileBytes);
        for (var i = 0; i < WordInput.UnitColumns / Layout.TileColumns; i++)
            Prefetch(tile + Ahead + (i * QuantizedLayout.TileBytes));
        if (Layout.Bits == 4)
        {
            WideQuantizedMatMulKernel<WideInt4Code>.Spread(tile, codes);
            return;
        }

        SpreadBytes(tile, codes);
        if (column + Layout.TileColumns < Layout.Columns)
            SpreadBytes(tile + QuantizedLayout.TileBytes, codes + (UnitCodes / 2));
    }

    /// <summary>A tile of int8 codes: a row pair is [four columns of a step, step, row of the pair, column].</summary>
    [MethodImpl(Hot.Path)]
    private static void SpreadBytes(byte* tile, byte* codes)
    {
        var pairs = (long*)tile;
        for (var step = 0; step < 2; step++, codes += UnitCodes / 4)
        {
            // Of two pairs each, in the four lanes of a vector, four columns of the step.
            var (a, b) = (Step(pairs, step), Step(pairs + 16, step));
            var (c, d) = (Step(pairs + 32, step), Step(pairs + 48, step));
            var (evenLow, evenHigh) = (Avx512F.Shuffle4x128(a, b, Even), Avx512F.Shuffle4x128(c, d, Even));
            var (oddLow, oddHigh) = (Avx512F.Shuffle4x128(a, b, Odd), Avx512F.Shuffle4x128(c, d, Odd));
            StoreRows(Avx512F.Shuffle4x128(evenLow, evenHigh, Even), codes);
            StoreRows(Avx512F.Shuffle4x128(oddLow, oddHigh, Even), codes + WordInput.UnitColumns);
            StoreRows(Avx512F.Shuffle4x128(evenLow, evenHigh, Odd), codes + (2 * WordInput.UnitColumns));
            StoreRows(Avx512F.Shuffle4x128(oddLow, oddHigh, Odd), codes + (3 * WordInput.UnitColumns));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<long> Step(long* pairs, int step) => step == 0
        ? Avx512F.UnpackLow(Vector512.Load(pairs), Vector512.Load(pairs + 8))
        : Avx512F.UnpackHigh(Vector512.Load(pairs), Vector512.Load(pairs + 8));

    /// <summary>Upper and lower rows of eight pairs, which take turns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRows(Vector512<long> pairs, byte* codes) =>
        Avx512F.PermuteVar16x32(pairs.AsInt32(), Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15)).AsByte().Store(codes);

    /// <summary>Adds what a chunk's columns give to the sums.</summary>
    [MethodImpl(Hot.Path)]
    private void MultiplyChunk(ref TUnit unit, in Strip strip, int column, byte* codes, int columns, in Activations x)
    {
        unit.Load(codes, columns);
        var (chunk, group) = (column / input.ChunkColumns, Layout.Groups == 1 ? 0 : column / Layout.Quantization.GroupSize);
        var (scale, zero) = Group(strip.Weights, strip.Block, group);
        var (otherScale, otherZero) = Group(strip.Weights, strip.OtherBlock, group);
        var sums = strip.Sums;
        var values = x.Values + ((nint)column / WordInput.UnitColumns * x.UnitBytes) + (column % WordInput.UnitColumns);
        float* xScales = x.Scales + ((nint)chunk * x.Rows), xSums = x.Sums + ((nint)chunk * x.Rows);
        for (var token = 0; token < x.Tokens; token += UnitTokens)
        {
            // The last eight begin early enough to be eight; those that they have twice are not added again.
            var start = Math.Max(0, Math.Min(token, x.Tokens - UnitTokens));
            unit.Multiply(values + ((nint)start * WordInput.UnitBytes), x.UnitBytes, strip.ChunkSums);
            var end = Math.Min(token + UnitTokens, x.Tokens);
            for (var t = token; t < end; t++, sums += StripRows)
            {
                var (s, sum) = (Vector512.Create(xScales[t]), Vector512.Create(xSums[t]));
                Add(Vector512.Load(sums), TUnit.Sum(strip.ChunkSums, t - start, 0), s, sum, scale, zero).Store(sums);
                Add(Vector512.Load(sums + BlockRows), TUnit.Sum(strip.ChunkSums, t - start, 1), s, sum, otherScale, otherZero).Store(sums + BlockRows);
            }
        }
    }

    /// <summary>Of a group the scales of sixteen rows, and the zero points less than zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private (Vector512<float> Scale, Vector512<float> Zero) Group(byte* weights, int block, int group)
    {
        var index = (nint)Layout.GroupIndex(block * BlockRows, group);
        var scale = Simd512.LoadFloat16((ushort*)(weights + Layout.Scales) + index);
        return (scale, Layout.Quantization.ZeroPoints
            ? -Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(weights + Layout.ZeroPoints + index)))
            : Vector512.Create(-(float)(1 << (Layout.Bits - 1))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Add(Vector512<float> sums, Vector512<int> exact, Vector512<float> xScale, Vector512<float> xSum, Vector512<float> scale, Vector512<float> zero) =>
        Vector512.FusedMultiplyAdd(Vector512.FusedMultiplyAdd(zero, xSum, Vector512.ConvertToSingle(exact) * xScale), scale, sums);

    /// <summary>One or two rows of tiles, and a thread's memory.</summary>
    private readonly struct Strip(byte* weights, int block, int blocks, float* scratch)
    {
        public readonly byte* Weights = weights;
        public readonly int Block = block;

        /// <summary>The first again where there is no other.</summary>
        public readonly int OtherBlock = block + blocks - 1;

        /// <summary>[units, 2, 1024].</summary>
        public readonly byte* Codes = (byte*)scratch;

        /// <summary>As the unit leaves them, 2 KiB.</summary>
        public readonly int* ChunkSums = (int*)scratch + (2 * MostUnits * UnitSums);

        /// <summary>[token, 32].</summary>
        public readonly float* Sums = scratch + (2 * MostUnits * UnitSums) + (2 * UnitSums);
    }

    /// <summary>Some tokens.</summary>
    private readonly struct Activations(WordInput input, in MatMulArguments arguments, int token, int tokens)
    {
        public readonly int Tokens = tokens;

        /// <summary>Of all tokens.</summary>
        public readonly int Rows = arguments.PackedRows;

        /// <summary>From one unit to the next.</summary>
        public readonly nint UnitBytes = (nint)arguments.PackedRows * WordInput.UnitBytes;

        public readonly byte* Values = (byte*)arguments.PackedX + ((nint)(arguments.FirstPackedRow + token) * WordInput.UnitBytes);
        public readonly float* Scales = input.Scales((byte*)arguments.PackedX, arguments.PackedRows) + arguments.FirstPackedRow + token;
        public readonly float* Sums = input.Sums((byte*)arguments.PackedX, arguments.PackedRows) + arguments.FirstPackedRow + token;
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Quantized;
using Weft.Backends.Cpu.Simd;
using Weft.Weights;

namespace Weft.Backends.Cpu.Words;

/// <summary>
/// The product with 16-bit activations, 32 rows of weights at a time. A chunk of their codes is spread once, one to a byte, and meets all tokens, some at a time; sums over a
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
        if (arguments.N == 1)
        {
            RunOne(arguments, firstRow, endRow, scratch);
            return;
        }

        var unit = default(TUnit);
        unit.Begin(arguments.N, input.ChunkColumns);
        for (var block = firstRow / BlockRows; block * BlockRows < endRow; block += 2)
        {
            var blocks = Math.Min(2, (endRow - (block * BlockRows) + BlockRows - 1) / BlockRows);
            var strip = new Strip(arguments.W, block, blocks, scratch);
            for (int token = 0, end; token < arguments.N; token = end)
            {
                // Enough are left for what a unit multiplies at a time.
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

    /// <summary>One token, sixteen rows at a time, tile by tile as memory has them.</summary>
    [MethodImpl(Hot.Path)]
    private void RunOne(in MatMulArguments arguments, int firstRow, int endRow, float* sums)
    {
        var x = new Activations(input, arguments, 0, 1);
        for (var row = firstRow; row < endRow;)
        {
            var block = row / BlockRows;
            var end = Math.Min((block + 1) * BlockRows, endRow);
            Vector512<float>.Zero.Store(sums);
            // Chunks of one group share its scales, those of many have one each.
            var (ofGroup, group) = (Layout.Groups == 1 ? input.Chunks : Layout.Quantization.GroupSize / input.ChunkColumns, 0);
            for (int chunk = 0, next; chunk < input.Chunks; chunk = next, group++)
            {
                next = ofGroup == 1 ? input.Chunks : chunk + ofGroup;
                var whole = Math.Min(next, Layout.Columns / input.ChunkColumns);
                if (whole > chunk)
                    MultiplyOne(arguments.W, block, group, chunk, whole - chunk, input.ChunkColumns, x, sums);
                if (whole < next)
                    MultiplyOne(arguments.W, block, group, whole, 1, Layout.Columns % input.ChunkColumns, x, sums);
            }

            Write(arguments, 0, row, end, sums);
            row = end;
        }
    }

    /// <summary>Adds chunks that have one group, or one each from <paramref name="group"/> on.</summary>
    [MethodImpl(Hot.Path)]
    private void MultiplyOne(byte* weights, int block, int group, int chunk, int chunks, int columns, in Activations x, float* sums)
    {
        var (column, index) = ((nint)chunk * input.ChunkColumns, (nint)Layout.GroupIndex(block * BlockRows, group));
        var isEach = Layout.Quantization.GroupSize == input.ChunkColumns;
        TokenProducts.Multiply(
            Layout.Bits, columns, Layout.ZeroPointBytes, weights + Layout.Tile(block, (int)column / Layout.TileColumns), x.Values + (column / WordInput.UnitColumns * x.UnitBytes), chunks, new()
            {
                Sums = sums,
                UnitBytes = x.UnitBytes,
                XScales = x.Scales + ((nint)chunk * x.Rows),
                XSums = x.Sums + ((nint)chunk * x.Rows),
                XBytes = (nint)x.Rows * sizeof(float),
                Scales = weights + Layout.Scales + (index * sizeof(ushort)),
                ScaleBytes = isEach ? BlockRows * sizeof(ushort) : 0,
                ZeroPoints = weights + Layout.ZeroPoints + (index * Layout.ZeroPointBytes),
                ZeroPointBytes = isEach ? BlockRows * Layout.ZeroPointBytes : 0,
            });
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
        var (chunk, group) = (column / input.ChunkColumns, Layout.Groups == 1 ? 0 : column / Layout.Quantization.GroupSize);
        var (scale, zero) = Group(strip.Weights, strip.Block, group);
        var (otherScale, otherZero) = Group(strip.Weights, strip.OtherBlock, group);
        unit.Multiply(codes, columns, new()
        {
            Scale = scale,
            Zero = zero,
            OtherScale = otherScale,
            OtherZero = otherZero,
            XScales = x.Scales + ((nint)chunk * x.Rows),
            XSums = x.Sums + ((nint)chunk * x.Rows),
            X = x.Values + ((nint)column / WordInput.UnitColumns * x.UnitBytes) + (column % WordInput.UnitColumns),
            UnitBytes = x.UnitBytes,
            Tokens = x.Tokens,
            Sums = strip.Sums,
            Scratch = strip.ChunkSums,
        });
    }

    /// <summary>Of a group the scales of sixteen rows, and the zero points less than zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private (Vector512<float> Scale, Vector512<float> Zero) Group(byte* weights, int block, int group)
    {
        var index = (nint)Layout.GroupIndex(block * BlockRows, group);
        var scale = Simd512.LoadFloat16((ushort*)(weights + Layout.Scales) + index);
        return (scale, Layout.ZeroPointBytes switch
        {
            0 => Vector512.Create(-(float)Layout.MiddleCode),
            sizeof(ushort) => -(Vector512.Create((float)Layout.MiddleCode) + Simd512.LoadFloat16((ushort*)(weights + Layout.ZeroPoints) + index)),
            _ => -Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(weights + Layout.ZeroPoints + index))),
        });
    }

    /// <summary>One or two rows of tiles, and a thread's memory.</summary>
    private readonly struct Strip(byte* weights, int block, int blocks, float* scratch)
    {
        public readonly byte* Weights = weights;
        public readonly int Block = block;

        /// <summary>The first again where there is no other.</summary>
        public readonly int OtherBlock = block + blocks - 1;

        /// <summary>[units, 2, 1024].</summary>
        public readonly byte* Codes = (byte*)scratch;

        /// <summary><see cref="ChunkOperands.Scratch"/>.</summary>
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

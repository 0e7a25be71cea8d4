using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Weights;

namespace Weft.Backends.Cpu.Words;

/// <summary>Where a <see cref="TokenProducts"/> function finds what is read or written once a chunk; it knows the places of the members.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TokenArguments
{
    /// <summary>[16] that the products are added to.</summary>
    public float* Sums;

    /// <summary>Bytes from a unit of activations to the next.</summary>
    public nint UnitBytes;

    /// <summary>Of the activations, one a chunk.</summary>
    public float* XScales;

    /// <summary>Of the activations, one a chunk.</summary>
    public float* XSums;

    /// <summary>Bytes from a chunk to the next in both.</summary>
    public nint XBytes;

    /// <summary>f16 [16] of a group.</summary>
    public byte* Scales;

    /// <summary>Bytes from a chunk's to the next one's: 32, or 0 in one group.</summary>
    public nint ScaleBytes;

    /// <summary>[16] of a group, bytes or f16.</summary>
    public byte* ZeroPoints;

    /// <summary>Bytes from a chunk's to the next one's, or 0 in one group.</summary>
    public nint ZeroPointBytes;

    /// <summary>Of the function.</summary>
    public byte* Constants;
}

/// <summary>
/// The product of one token with sixteen rows of codes, tile after tile as memory has them: a single token waits for memory, and codes that are spread, stored and loaded again are in its way.
/// A vector of a tile is two rows, j and j + 8, which meet the activations in the order of the tile's columns; what the lanes of a row have is added up across vectors. Integers and the numbers
/// made of them are those of <see cref="WordMatMulKernel{TUnit}"/> with many tokens, in its order, so the bits are the same. Machine code like <see cref="DotProducts"/>.
/// </summary>
internal static unsafe class TokenProducts
{
    private const int VectorBytes = 64;
    private const int VectorLanes = 16;
    private const int TileVectors = 8;
    private const int TileBytes = TileVectors * VectorBytes;
    private const int PartColumns = 32;
    private const int ZeroPointForms = 3; // none, a byte, two
    private const int Ahead = 4096; // bytes of codes

    // Vectors that functions set once, and others.
    private const int Order = 0;
    private const int Mask = 1;
    private const int RowOrder = 2;
    private const int Middle = 3;
    private const int Total = 4;
    private const int High = 5;
    private const int Low = 6;
    private const int Exact = 7;
    private const int Free = 8; // and the next three
    private const int Sums = 16;

    // Registers: arguments come as System V's convention has them.
    private const int Tiles = Assembler.Rdi;
    private const int X = Assembler.Rsi;
    private const int Scales = Assembler.Rdx;
    private const int XScales = Assembler.Rcx;
    private const int UnitBytes = Assembler.R8;
    private const int Arguments = Assembler.R9;
    private const int XSums = Assembler.R10;
    private const int ZeroPoints = Assembler.R11;

    // Of two vectors' four lanes: the even ones of both, and the odd ones.
    private const byte EvenLanes = 0b10_00_10_00;
    private const byte OddLanes = 0b11_01_11_01;

    /// <summary>Sizes of a chunk that there are functions for: those of <see cref="WordInput.ChunkColumns"/>, and what can be left of the last.</summary>
    private static readonly int[] ChunkSizes = [32, 64, 96, 128];

    /// <summary>Adds the products of some chunks to <see cref="TokenArguments.Sums"/>.</summary>
    /// <param name="bits">Of a code.</param>
    /// <param name="columns">Of a chunk. Chunks of 32 begin where a unit does.</param>
    /// <param name="zeroPointBytes"><see cref="QuantizedLayout.ZeroPointBytes"/>; without any each is half the number of codes.</param>
    /// <param name="tiles">The first tile.</param>
    /// <param name="x">[(high, low), 64] of its columns.</param>
    /// <param name="chunks">At least one.</param>
    /// <param name="arguments">The rest.</param>
    [MethodImpl(Hot.Path)]
    public static void Multiply(int bits, int columns, int zeroPointBytes, byte* tiles, byte* x, int chunks, TokenArguments arguments)
    {
        arguments.Constants = Written.Constants + (bits == 4 ? 0 : Written.ConstantBytes);
        var function = Written.Functions[((((bits / 8) * ZeroPointForms) + zeroPointBytes) * ChunkSizes.Length) + ((columns - 1) / PartColumns)];
        ((delegate* unmanaged[SuppressGCTransition]<byte*, byte*, nint, TokenArguments*, void>)function)(tiles, x, chunks, &arguments);
    }

    /// <summary>Writes <c>(tiles, x, chunks, arguments)</c>.</summary>
    /// <remarks>
    /// int4: dword 4 · q + s of a vector is columns 16 · s + 4 · q and the next three; low halves of bytes are row j, high halves row j + 8. int8: dword 4 · q + 2 · s + i is columns 16 · s + 4 · q and the
    /// next three of row j + 8 · i; two tiles are a unit of activations.
    /// </remarks>
    public static byte[] Function(int bits, int columns, int zeroPointBytes)
    {
        var code = new Assembler();
        Begin(code);
        var loop = code.Here;
        int? end = null;
        if (columns == PartColumns)
            end = TwoChunks(code, bits, zeroPointBytes);
        else
            OneChunk(code, bits, columns, zeroPointBytes);
        code.LoopWhileNotZero(loop);
        if (end is { } leave)
            code.Land(leave);
        code.LoadRegister(Assembler.Rdx, Arguments, Offset(nameof(TokenArguments.Sums)));
        code.Store(Total, Assembler.Rdx, 0);
        code.Return();
        return code.Code;
    }

    /// <summary>Chunks of 32 columns: a unit of activations is two, and the last may be one.</summary>
    /// <returns>Where the last leaves.</returns>
    private static int TwoChunks(Assembler code, int bits, int zeroPointBytes)
    {
        if (bits == 4)
            Int4Tile(code, isApart: true);
        else
            Int8Tile(code, half: 0);
        Apply(code, bits == 4 ? Exact : Free, zeroPointBytes);
        var end = code.LeaveWhenZero();
        if (bits == 8)
            Int8Tile(code, half: 1);
        Apply(code, Free, zeroPointBytes);
        return end;
    }

    /// <summary>The tiles of a larger chunk.</summary>
    private static void OneChunk(Assembler code, int bits, int columns, int zeroPointBytes)
    {
        for (var column = 0; column < columns; column += bits == 4 ? WordInput.UnitColumns : PartColumns)
        {
            if (bits == 4)
                Int4Tile(code, isApart: false);
            else
                Int8Tile(code, column / PartColumns % 2);
            Add(code, column == 0);
        }

        Apply(code, Exact, zeroPointBytes);
    }

    private static int Offset(string member) => (int)Marshal.OffsetOf<TokenArguments>(member);

    private static void Begin(Assembler code)
    {
        code.Move(Assembler.Rax, Assembler.Rdx);
        code.Address(Arguments, Assembler.Rcx, 0);
        code.LoadRegister(Assembler.Rdx, Arguments, Offset(nameof(TokenArguments.Constants)));
        code.Load(Order, Assembler.Rdx, 0);
        code.Load(Mask, Assembler.Rdx, VectorBytes);
        code.Load(RowOrder, Assembler.Rdx, 2 * VectorBytes);
        code.Load(Middle, Assembler.Rdx, 3 * VectorBytes);
        code.LoadRegister(Assembler.Rdx, Arguments, Offset(nameof(TokenArguments.Sums)));
        code.Load(Total, Assembler.Rdx, 0);
        code.LoadRegister(Scales, Arguments, Offset(nameof(TokenArguments.Scales)));
        code.LoadRegister(XScales, Arguments, Offset(nameof(TokenArguments.XScales)));
        code.LoadRegister(UnitBytes, Arguments, Offset(nameof(TokenArguments.UnitBytes)));
        code.LoadRegister(XSums, Arguments, Offset(nameof(TokenArguments.XSums)));
        code.LoadRegister(ZeroPoints, Arguments, Offset(nameof(TokenArguments.ZeroPoints)));
    }

    /// <summary>The sums of a tile: of its two times 32 columns to <see cref="Exact"/> and <see cref="Free"/>, or of all to <see cref="Free"/>.</summary>
    private static void Int4Tile(Assembler code, bool isApart)
    {
        code.Permute(High, Order, X, 0);
        code.Permute(Low, Order, X, WordInput.UnitColumns);
        for (var j = 0; j < TileVectors; j++)
        {
            code.Load(Free, Tiles, j * VectorBytes);
            code.Prefetch(Tiles, (j * VectorBytes) + Ahead);
            code.ShiftWordsRight(Free + 1, Free, 4);
            code.And(Free, Free, Mask);
            code.And(Free + 1, Free + 1, Mask);
            Multiply(code, Sums + j, Free);
            Multiply(code, Sums + TileVectors + j, Free + 1);
        }

        code.AddRegister(X, UnitBytes);
        code.Add(Tiles, TileBytes);
        for (var row = Sums; row < Sums + VectorLanes; row += 4)
            JoinSteps(code, row, isApart);
        if (isApart)
            JoinLanes(code, Exact, Sums, 4);
        JoinLanes(code, Free, isApart ? Sums + 2 : Sums, 4);
    }

    /// <summary>The sums of a tile, the first or the second of a unit, to <see cref="Free"/>.</summary>
    private static void Int8Tile(Assembler code, int half)
    {
        code.Permute(High, Order, X, half * PartColumns);
        code.Permute(Low, Order, X, (half * PartColumns) + WordInput.UnitColumns);
        for (var j = 0; j < TileVectors; j++)
        {
            code.Load(Free, Tiles, j * VectorBytes);
            code.Prefetch(Tiles, (j * VectorBytes) + Ahead);
            Multiply(code, Sums + j, Free);
        }

        code.Add(Tiles, TileBytes);
        if (half == 1)
            code.AddRegister(X, UnitBytes);
        // Lanes of both steps: rows j, j + 8, j + 1 and j + 9 are left.
        for (var row = Sums; row < Sums + TileVectors; row += 2)
        {
            code.InterleaveQuads(Free, row, row + 1, isHigh: false);
            code.InterleaveQuads(row, row, row + 1, isHigh: true);
            code.AddIntegers(row, Free);
        }

        JoinLanes(code, Free, Sums, 2);
        code.Permute(Free, RowOrder, Free);
    }

    /// <summary>256 · products with high bytes + products with low ones.</summary>
    private static void Multiply(Assembler code, int sums, int codes)
    {
        code.Clear(sums);
        code.Dot(sums, codes, High);
        code.ShiftLeft(sums, 8);
        code.Dot(sums, codes, Low);
    }

    /// <summary>
    /// Of four rows, whose dwords are steps s: the sums of steps 0 and 1 of all four, side by side, to <paramref name="row"/>, and of 2 and 3 to the second after it; or of all steps to
    /// <paramref name="row"/>.
    /// </summary>
    private static void JoinSteps(Assembler code, int row, bool isApart)
    {
        code.Interleave(Free, row, row + 1, isHigh: false);
        code.Interleave(Free + 1, row, row + 1, isHigh: true);
        code.Interleave(Free + 2, row + 2, row + 3, isHigh: false);
        code.Interleave(Free + 3, row + 2, row + 3, isHigh: true);
        if (!isApart)
        {
            code.AddIntegers(Free, Free + 1);
            code.AddIntegers(Free + 2, Free + 3);
        }

        for (var half = 0; half < (isApart ? 2 : 1); half++)
        {
            code.InterleaveQuads(row + (2 * half), Free + half, Free + 2 + half, isHigh: false);
            code.InterleaveQuads(row + (2 * half) + 1, Free + half, Free + 2 + half, isHigh: true);
            code.AddIntegers(row + (2 * half), row + (2 * half) + 1);
        }
    }

    /// <summary>The sums of the four lanes of each of four vectors, side by side.</summary>
    /// <param name="code">Is written.</param>
    /// <param name="target">Takes them.</param>
    /// <param name="first">Of the vectors.</param>
    /// <param name="step">From one to the next.</param>
    private static void JoinLanes(Assembler code, int target, int first, int step)
    {
        Pair(target, first, first + step);
        Pair(Free + 1, first + (2 * step), first + (3 * step));
        code.ShuffleLanes(Free + 2, target, Free + 1, EvenLanes);
        code.ShuffleLanes(target, target, Free + 1, OddLanes);
        code.AddIntegers(target, Free + 2);

        void Pair(int pair, int a, int b)
        {
            code.ShuffleLanes(Free + 2, a, b, EvenLanes);
            code.ShuffleLanes(pair, a, b, OddLanes);
            code.AddIntegers(pair, Free + 2);
        }
    }

    /// <summary>Adds a tile's sums in <see cref="Free"/> to those of the chunk.</summary>
    private static void Add(Assembler code, bool isFirst)
    {
        if (isFirst)
            code.Clear(Exact);
        code.AddIntegers(Exact, Free);
    }

    /// <summary>Adds (sums · x's scale − zero point · x's sum) · scale of a chunk to the total, and goes on to the next chunk's scales.</summary>
    /// <param name="code">Is written.</param>
    /// <param name="exact">The sums.</param>
    /// <param name="zeroPointBytes">Without any they are in <see cref="Middle"/>, from which fractional ones count.</param>
    private static void Apply(Assembler code, int exact, int zeroPointBytes)
    {
        const int Other = Free + 1; // for a tile of two chunks has the sums of the second before it
        code.ToFloats(exact, exact);
        code.MultiplyFloats(exact, exact, XScales, 0);
        if (zeroPointBytes > 0)
        {
            if (zeroPointBytes == sizeof(ushort))
            {
                code.LoadHalves(Other, ZeroPoints, 0);
                code.AddFloats(Other, Middle);
            }
            else
            {
                code.LoadBytes(Other, ZeroPoints, 0);
                code.ToFloats(Other, Other);
            }

            code.AddRegister(ZeroPoints, Arguments, Offset(nameof(TokenArguments.ZeroPointBytes)));
        }

        code.SubtractProduct(exact, zeroPointBytes > 0 ? Other : Middle, XSums, 0);
        code.LoadHalves(Other, Scales, 0);
        code.AddProduct(Total, exact, Other);
        code.AddRegister(XScales, Arguments, Offset(nameof(TokenArguments.XBytes)));
        code.AddRegister(XSums, Arguments, Offset(nameof(TokenArguments.XBytes)));
        code.AddRegister(Scales, Arguments, Offset(nameof(TokenArguments.ScaleBytes)));
    }

    /// <summary>Written when a model first needs them.</summary>
    private static class Written
    {
        private const int ConstantVectors = 4;

        /// <summary>Of one number of bits.</summary>
        public const int ConstantBytes = ConstantVectors * VectorBytes;

        /// <summary>[bits, bytes of a zero point, chunk size].</summary>
        public static readonly nint[] Functions = MachineCode.Load(
            [.. from bits in (int[])[4, 8] from zeroPointBytes in Enumerable.Range(0, ZeroPointForms) from columns in ChunkSizes select Function(bits, columns, zeroPointBytes)]);

        /// <summary>Of each number of bits <see cref="Order"/>, <see cref="Mask"/>, <see cref="RowOrder"/> and <see cref="Middle"/>.</summary>
        public static readonly byte* Constants = Write();

        private static byte* Write()
        {
            var lanes = (int*)NativeMemory.AlignedAlloc(2 * ConstantBytes, VectorBytes);
            for (var i = 0; i < VectorLanes; i++)
            {
                var (q, s) = (i / 4, i % 4);
                Set(0, 0, (4 * s) + q);
                Set(0, 1, 0x0F0F0F0F);
                Set(0, 2, i);
                Set(0, 3, BitConverter.SingleToInt32Bits(8));
                Set(1, 0, (4 * (s / 2)) + q);
                Set(1, 1, -1);
                Set(1, 2, (4 * (i % 8 / 2)) + (i % 2 * 2) + (i / 8));
                Set(1, 3, BitConverter.SingleToInt32Bits(128));

                void Set(int bits, int vector, int value) => lanes[(((bits * ConstantVectors) + vector) * VectorLanes) + i] = value;
            }

            return (byte*)lanes;
        }
    }
}

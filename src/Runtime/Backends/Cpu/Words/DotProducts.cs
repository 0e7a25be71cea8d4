using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Weft.Backends.Cpu.Words;

/// <summary>
/// Products with the 512-bit instruction for sums of four products of bytes (AVX-512 VNNI), which .NET has no intrinsic for: a lane is a row, and a token's four columns go to all lanes. The
/// functions are written when they are first used, one for each number of tokens and size of chunk; arguments come as System V's convention for x86-64 has them.
/// </summary>
internal unsafe struct DotProducts : IProductUnit
{
    private const int MostTokens = 8;
    private const int Blocks = 2;
    private const int StepColumns = 4;
    private const int VectorBytes = 64;
    private const int BlockBytes = 1024; // of codes of a unit, and of sums
    private const int Codes = 0; // the first vector of codes; sums are from here on:
    private const int Sums = 16;

    // More have no registers for sums of high and of low bytes.
    private const int MostTogether = 4;

    private static readonly int[] ChunkSizes = [32, 64, 128];

    private int tokens;
    private nint function;
    private byte* codes;

    /// <summary>Whether this processor and this system have it.</summary>
    public static bool IsSupported { get; } = CanRun && MachineCode.Load([0xC3]).Length > 0; // ret

    private static bool CanRun => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64 && Avx512BW.IsSupported && HasDotProduct;

    private static bool HasDotProduct
    {
        get
        {
            const int Vnni = 1 << 11;
            return (X86Base.CpuId(7, 0).Ecx & Vnni) != 0;
        }
    }

    /// <inheritdoc/>
    public void Begin(int tokens, int columns) => this.tokens = tokens;

    /// <inheritdoc/>
    public readonly void End()
    {
    }

    /// <inheritdoc/>
    public void Load(byte* codes, int columns)
    {
        this.codes = codes;
        function = Written.Functions[(columns / WordInput.UnitColumns * MostTokens) + tokens - 1]; // 32, 64 and 128 are at 0, 1 and 2
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Multiply(byte* x, nint unitBytes, int* sums) =>
        ((delegate* unmanaged[SuppressGCTransition]<byte*, byte*, int*, nint, void>)function)(codes, x, sums, unitBytes);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Sum(int* sums, int token, int block) => Vector512.Load(sums + (((block * BlockBytes) + (token * VectorBytes)) / sizeof(int)));

    /// <summary>Writes the product of some tokens with a chunk: <c>(codes, x, sums, unitBytes)</c>.</summary>
    /// <remarks>
    /// 256 · high + low: where there are registers for both, high and low bytes are summed side by side; otherwise first the high ones, then, on top of 256 times that, the low ones. A single token has
    /// two sums for each, of columns in turn, because an instruction takes longer than four of them last.
    /// </remarks>
    public static byte[] Function(int tokens, int columns)
    {
        var code = new Assembler();
        var (together, inTurn) = (tokens <= MostTogether, tokens == 1);
        var unit = Math.Min(columns, WordInput.UnitColumns);
        int Sum(int token, int block, bool isLow, int turn = 0) => Sums + (inTurn ? turn * Blocks * 2 : 0) + (together && isLow ? tokens * Blocks : 0) + (token * Blocks) + block;
        for (var i = 0; i < tokens * Blocks * (together ? 2 : 1) * (inTurn ? 2 : 1); i++)
            code.Clear(Sums + i);
        for (var pass = 0; pass < (together ? 1 : 2); pass++)
        {
            for (var i = 0; pass == 1 && i < tokens * Blocks; i++)
                code.ShiftLeft(Sums + i, 8);
            for (var first = 0; first < columns; first += unit)
            {
                code.Address(Assembler.R10, Assembler.Rdi, first / unit * Blocks * BlockBytes);
                code.Address(Assembler.R11, Assembler.Rsi, pass * WordInput.UnitColumns);
                if (first > 0)
                    code.AddRegister(Assembler.R11, Assembler.Rcx);
                var turns = inTurn ? 2 : 1;
                code.Set(Assembler.Rax, unit / StepColumns / turns);
                var loop = code.Here;
                for (var turn = 0; turn < turns; turn++)
                {
                    for (var block = 0; block < Blocks; block++)
                        code.Load(Codes + block, Assembler.R10, (block * BlockBytes) + (turn * VectorBytes));
                    for (var token = 0; token < tokens; token++)
                    {
                        for (var part = 0; part < (together ? 2 : 1); part++)
                        {
                            for (var block = 0; block < Blocks; block++)
                                code.Dot(Sum(token, block, part == 1, turn), Codes + block, Assembler.R11, (token * WordInput.UnitBytes) + (part * WordInput.UnitColumns) + (turn * StepColumns));
                        }
                    }
                }

                code.Add(Assembler.R10, turns * VectorBytes);
                code.Add(Assembler.R11, turns * StepColumns);
                code.LoopWhileNotZero(loop);
            }
        }

        for (var token = 0; token < tokens; token++)
        {
            for (var block = 0; block < Blocks; block++)
            {
                if (inTurn)
                {
                    code.AddIntegers(Sum(token, block, isLow: false), Sum(token, block, isLow: false, turn: 1));
                    code.AddIntegers(Sum(token, block, isLow: true), Sum(token, block, isLow: true, turn: 1));
                }

                if (together)
                {
                    code.ShiftLeft(Sum(token, block, isLow: false), 8);
                    code.AddIntegers(Sum(token, block, isLow: false), Sum(token, block, isLow: true));
                }

                code.Store(Sum(token, block, isLow: false), Assembler.Rdx, (block * BlockBytes) + (token * VectorBytes));
            }
        }

        code.Return();
        return code.Code;
    }

    /// <summary>Takes 20 ms, which a model without such weights need not wait for.</summary>
    private static class Written
    {
        /// <summary>[chunk size, tokens − 1].</summary>
        public static readonly nint[] Functions = MachineCode.Load([.. from columns in ChunkSizes from tokens in Enumerable.Range(1, MostTokens) select Function(tokens, columns)]);
    }
}

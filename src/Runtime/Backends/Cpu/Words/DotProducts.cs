using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Weft.Backends.Cpu.Words;

/// <summary>
/// Products with the 512-bit instruction for sums of four products of bytes (AVX-512 VNNI), which .NET has no intrinsic for: a lane is a row, and a token's four columns go to all lanes. The
/// functions are written when they are first used, one for each number of tokens and size of chunk; arguments come as System V's convention for x86-64 has them.
/// </summary>
internal unsafe struct DotProducts : IProductUnit
{
    private const int MostTokens = 8; // of a function
    private const int Blocks = 2;
    private const int StepColumns = 4;
    private const int VectorBytes = 64;
    private const int BlockBytes = 1024; // of codes of a unit
    private const int TokenBytes = Blocks * VectorBytes; // of sums

    // Vectors: codes of both blocks, a token's columns, of each block scales and zeros, what is being computed, and from here on exact sums.
    private const int Codes = 0;
    private const int Columns = 2;
    private const int Scales = 3;
    private const int Total = 7;
    private const int Sums = 16;

    // More have no registers for sums of high and of low bytes.
    private const int MostTogether = 4;

    private static readonly int[] ChunkSizes = [32, 64, 128];

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
    public readonly void Begin(int tokens, int columns)
    {
    }

    /// <inheritdoc/>
    public readonly void End()
    {
    }

    /// <inheritdoc/>
    [MethodImpl(Hot.Path)]
    public readonly void Multiply(byte* codes, int columns, in ChunkOperands chunk)
    {
        var operands = chunk;
        var functions = Written.Functions.AsSpan(columns / WordInput.UnitColumns * MostTokens, MostTokens); // 32, 64 and 128 are at 0, 1 and 2
        for (var left = chunk.Tokens; left > 0; left -= MostTokens)
        {
            var tokens = Math.Min(left, MostTokens);
            ((delegate* unmanaged[SuppressGCTransition]<byte*, byte*, float*, nint, ChunkOperands*, void>)functions[tokens - 1])(
                codes, operands.X, operands.Sums, operands.UnitBytes, &operands);
            operands.X += tokens * WordInput.UnitBytes;
            operands.Sums += tokens * TokenBytes / sizeof(float);
            operands.XScales += tokens;
            operands.XSums += tokens;
        }
    }

    /// <summary>Writes the product of some tokens with a chunk: <c>(codes, x, sums, unitBytes, operands)</c>.</summary>
    /// <remarks>
    /// 256 · high + low: where there are registers for both, high and low bytes are summed side by side; otherwise first the high ones, then, on top of 256 times that, the low ones.
    /// </remarks>
    public static byte[] Function(int tokens, int columns)
    {
        var code = new Assembler();
        var together = tokens <= MostTogether;
        var unit = Math.Min(columns, WordInput.UnitColumns);
        int Sum(int token, int block, bool isLow) => Sums + (together && isLow ? tokens * Blocks : 0) + (token * Blocks) + block;
        for (var i = 0; i < tokens * Blocks * (together ? 2 : 1); i++)
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
                code.Set(Assembler.Rax, unit / StepColumns);
                var loop = code.Here;
                for (var block = 0; block < Blocks; block++)
                    code.Load(Codes + block, Assembler.R10, block * BlockBytes);
                for (var token = 0; token < tokens; token++)
                {
                    for (var part = 0; part < (together ? 2 : 1); part++)
                    {
                        code.Broadcast(Columns, Assembler.R11, (token * WordInput.UnitBytes) + (part * WordInput.UnitColumns));
                        for (var block = 0; block < Blocks; block++)
                            code.Dot(Sum(token, block, part == 1), Codes + block, Columns);
                    }
                }

                code.Add(Assembler.R10, VectorBytes);
                code.Add(Assembler.R11, StepColumns);
                code.LoopWhileNotZero(loop);
            }
        }

        for (var block = 0; block < Blocks; block++)
        {
            code.Load(Scales + (2 * block), Assembler.R8, Offset(block == 0 ? nameof(ChunkOperands.Scale) : nameof(ChunkOperands.OtherScale)));
            code.Load(Scales + (2 * block) + 1, Assembler.R8, Offset(block == 0 ? nameof(ChunkOperands.Zero) : nameof(ChunkOperands.OtherZero)));
        }

        code.LoadRegister(Assembler.R10, Assembler.R8, Offset(nameof(ChunkOperands.XScales)));
        code.LoadRegister(Assembler.R11, Assembler.R8, Offset(nameof(ChunkOperands.XSums)));
        for (var token = 0; token < tokens; token++)
        {
            for (var block = 0; block < Blocks; block++)
            {
                var exact = Sum(token, block, isLow: false);
                if (together)
                {
                    code.ShiftLeft(exact, 8);
                    code.AddIntegers(exact, Sum(token, block, isLow: true));
                }

                code.ToFloats(exact, exact);
                code.MultiplyFloats(exact, exact, Assembler.R10, token * sizeof(float));
                code.AddProduct(exact, Scales + (2 * block) + 1, Assembler.R11, token * sizeof(float));
                code.Load(Total, Assembler.Rdx, (token * TokenBytes) + (block * VectorBytes));
                code.AddProduct(Total, exact, Scales + (2 * block));
                code.Store(Total, Assembler.Rdx, (token * TokenBytes) + (block * VectorBytes));
            }
        }

        code.Return();
        return code.Code;
    }

    private static int Offset(string member) => (int)Marshal.OffsetOf<ChunkOperands>(member);

    /// <summary>Takes 20 ms, which a model without such weights need not wait for.</summary>
    private static class Written
    {
        /// <summary>[chunk size, tokens − 1].</summary>
        public static readonly nint[] Functions = MachineCode.Load([.. from columns in ChunkSizes from tokens in Enumerable.Range(1, MostTokens) select Function(tokens, columns)]);
    }
}

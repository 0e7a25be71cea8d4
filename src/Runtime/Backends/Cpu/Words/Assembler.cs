namespace Weft.Backends.Cpu.Words;

/// <summary>Writes the few instructions of x86-64 that <see cref="DotProducts"/> and <see cref="TokenProducts"/> consist of. Addresses are a register and 32 bits.</summary>
internal sealed class Assembler
{
    /// <summary>The accumulator of loops.</summary>
    public const int Rax = 0;

    /// <summary>Third argument, in System V's convention.</summary>
    public const int Rdx = 2;

    /// <summary>Fourth argument.</summary>
    public const int Rcx = 1;

    /// <summary>Second argument.</summary>
    public const int Rsi = 6;

    /// <summary>First argument.</summary>
    public const int Rdi = 7;

    /// <summary>Fifth argument.</summary>
    public const int R8 = 8;

    /// <summary>Sixth argument.</summary>
    public const int R9 = 9;

    /// <summary>Free for any use.</summary>
    public const int R10 = 10;

    /// <summary>Free for any use.</summary>
    public const int R11 = 11;

    private readonly List<byte> bytes = [];

    /// <summary>What was written.</summary>
    public byte[] Code => [.. bytes];

    /// <summary>Where the next instruction goes, for <see cref="LoopWhileNotZero"/>.</summary>
    public int Here => bytes.Count;

    /// <summary>mov register, value.</summary>
    public void Set(int register, int value) => Write([(byte)(0xB8 + register)], value);

    /// <summary>mov target, source, for registers before <see cref="R8"/>.</summary>
    public void Move(int target, int source) => Write([0x48, 0x89, (byte)(0xC0 + (source << 3) + target)]);

    /// <summary>lea target, [source + offset].</summary>
    public void Address(int target, int source, int offset) => Write([Wide(target, source), 0x8D, Memory(target, source)], offset);

    /// <summary>add register, value.</summary>
    public void Add(int register, int value) => Write([Wide(0, register), 0x81, (byte)(0xC0 + (register & 7))], value);

    /// <summary>add target, source.</summary>
    public void AddRegister(int target, int source) => Write([Wide(source, target), 0x01, (byte)(0xC0 + ((source & 7) << 3) + (target & 7))]);

    /// <summary>add target, [source + offset].</summary>
    public void AddRegister(int target, int source, int offset) => Write([Wide(target, source), 0x03, Memory(target, source)], offset);

    /// <summary>mov target, [source + offset].</summary>
    public void LoadRegister(int target, int source, int offset) => Write([Wide(target, source), 0x8B, Memory(target, source)], offset);

    /// <summary>dec eax; jnz target.</summary>
    public void LoopWhileNotZero(int target)
    {
        Write([0xFF, 0xC8, 0x0F, 0x85]);
        Write([], target - (Here + sizeof(int)));
    }

    /// <summary>dec eax; jz to where <see cref="Land"/> is called with the result.</summary>
    public int LeaveWhenZero()
    {
        Write([0xFF, 0xC8, 0x0F, 0x84], 0);
        return Here;
    }

    /// <summary>Where <see cref="LeaveWhenZero"/> goes.</summary>
    public void Land(int leave)
    {
        foreach (var (i, value) in BitConverter.GetBytes(Here - leave).Index())
            bytes[leave - sizeof(int) + i] = value;
    }

    /// <summary>prefetcht0 [source + offset], for registers before <see cref="R8"/>.</summary>
    public void Prefetch(int source, int offset) => Write([0x0F, 0x18, Memory(1, source)], offset);

    /// <summary>ret.</summary>
    public void Return() => Write([0xC3]);

    /// <summary>vpxord zmm, zmm, zmm: zeros.</summary>
    public void Clear(int vector) => WriteVector(map: 1, prefix: 1, opcode: 0xEF, vector, vector, vector);

    /// <summary>vpaddd target, target, source.</summary>
    public void AddIntegers(int target, int source) => WriteVector(map: 1, prefix: 1, opcode: 0xFE, target, target, source);

    /// <summary>vpslld vector, vector, bits.</summary>
    public void ShiftLeft(int vector, byte bits)
    {
        WriteVector(map: 1, prefix: 1, opcode: 0x72, reg: 6, vector, vector);
        Write([bits]);
    }

    /// <summary>vpsrlw target, source, bits.</summary>
    public void ShiftWordsRight(int target, int source, byte bits)
    {
        WriteVector(map: 1, prefix: 1, opcode: 0x71, reg: 2, target, source);
        Write([bits]);
    }

    /// <summary>vpandd target, first, second.</summary>
    public void And(int target, int first, int second) => WriteVector(map: 1, prefix: 1, opcode: 0xDB, target, first, second);

    /// <summary>vpunpckldq or vpunpckhdq target, first, second.</summary>
    public void Interleave(int target, int first, int second, bool isHigh) => WriteVector(map: 1, prefix: 1, opcode: (byte)(isHigh ? 0x6A : 0x62), target, first, second);

    /// <summary>vpunpcklqdq or vpunpckhqdq target, first, second.</summary>
    public void InterleaveQuads(int target, int first, int second, bool isHigh) =>
        WriteVector(map: 1, prefix: 0x80 | 1, opcode: (byte)(isHigh ? 0x6D : 0x6C), target, first, second);

    /// <summary>vshufi32x4 target, first, second, lanes: two of each.</summary>
    public void ShuffleLanes(int target, int first, int second, byte lanes)
    {
        WriteVector(map: 3, prefix: 1, opcode: 0x43, target, first, second);
        Write([lanes]);
    }

    /// <summary>vpermd target, order, source.</summary>
    public void Permute(int target, int order, int source) => WriteVector(map: 2, prefix: 1, opcode: 0x36, target, order, source);

    /// <summary>vpermd target, order, [source + offset].</summary>
    public void Permute(int target, int order, int source, int offset) => WriteMemory(map: 2, prefix: 1, opcode: 0x36, target, order, source, offset, isBroadcast: false);

    /// <summary>vpbroadcastd target, dword [source + offset].</summary>
    public void Broadcast(int target, int source, int offset) => WriteMemory(map: 2, prefix: 1, opcode: 0x58, target, second: 0, source, offset, isBroadcast: false);

    /// <summary>vpdpbusd sums, unsigned, signed: adds four products of bytes to each sum.</summary>
    public void Dot(int sums, int unsigned, int signed) => WriteVector(map: 2, prefix: 1, opcode: 0x50, sums, unsigned, signed);

    /// <summary>vcvtdq2ps target, source.</summary>
    public void ToFloats(int target, int source) => WriteVector(map: 1, prefix: 0, opcode: 0x5B, target, second: 0, source);

    /// <summary>vcvtph2ps target, [source + offset].</summary>
    public void LoadHalves(int target, int source, int offset) => WriteMemory(map: 2, prefix: 1, opcode: 0x13, target, second: 0, source, offset, isBroadcast: false);

    /// <summary>vpmovzxbd target, [source + offset].</summary>
    public void LoadBytes(int target, int source, int offset) => WriteMemory(map: 2, prefix: 1, opcode: 0x31, target, second: 0, source, offset, isBroadcast: false);

    /// <summary>vmulps target, first, dword [source + offset] in all lanes.</summary>
    public void MultiplyFloats(int target, int first, int source, int offset) => WriteMemory(map: 1, prefix: 0, opcode: 0x59, target, first, source, offset, isBroadcast: true);

    /// <summary>vaddps sums, sums, other.</summary>
    public void AddFloats(int sums, int other) => WriteVector(map: 1, prefix: 0, opcode: 0x58, sums, sums, other);

    /// <summary>vfmadd231ps sums, first, second.</summary>
    public void AddProduct(int sums, int first, int second) => WriteVector(map: 2, prefix: 1, opcode: 0xB8, sums, first, second);

    /// <summary>vfmadd231ps sums, first, dword [source + offset] in all lanes.</summary>
    public void AddProduct(int sums, int first, int source, int offset) => WriteMemory(map: 2, prefix: 1, opcode: 0xB8, sums, first, source, offset, isBroadcast: true);

    /// <summary>vfnmadd231ps sums, first, dword [source + offset] in all lanes.</summary>
    public void SubtractProduct(int sums, int first, int source, int offset) => WriteMemory(map: 2, prefix: 1, opcode: 0xBC, sums, first, source, offset, isBroadcast: true);

    /// <summary>vmovdqu32 vector, [source + offset].</summary>
    public void Load(int vector, int source, int offset) => WriteMemory(map: 1, prefix: 2, opcode: 0x6F, vector, second: 0, source, offset, isBroadcast: false);

    /// <summary>vmovdqu32 [target + offset], vector.</summary>
    public void Store(int vector, int target, int offset) => WriteMemory(map: 1, prefix: 2, opcode: 0x7F, vector, second: 0, target, offset, isBroadcast: false);

    private static byte Wide(int reg, int rm) => (byte)(0x48 | (reg >= 8 ? 4 : 0) | (rm >= 8 ? 1 : 0));

    private static byte Memory(int reg, int source) => (byte)(0x80 | ((reg & 7) << 3) | (source & 7));

    private void WriteVector(int map, int prefix, byte opcode, int reg, int second, int rm)
    {
        WritePrefix(map, prefix, reg, second, (rm & 8) != 0, (rm & 16) != 0, isBroadcast: false);
        Write([opcode, (byte)(0xC0 | ((reg & 7) << 3) | (rm & 7))]);
    }

    private void WriteMemory(int map, int prefix, byte opcode, int reg, int second, int source, int offset, bool isBroadcast)
    {
        WritePrefix(map, prefix, reg, second, (source & 8) != 0, false, isBroadcast);
        Write([opcode, Memory(reg, source)], offset);
    }

    /// <summary>EVEX, 512 bits; most fields are inverted. The prefix has W, for elements of 64 bits, in its highest bit.</summary>
    private void WritePrefix(int map, int prefix, int reg, int second, bool rmBit3, bool rmBit4, bool isBroadcast) => Write(
    [
        0x62,
        (byte)(((reg & 8) == 0 ? 0x80 : 0) | (rmBit4 ? 0 : 0x40) | (rmBit3 ? 0 : 0x20) | ((reg & 16) == 0 ? 0x10 : 0) | map),
        (byte)(((~second & 15) << 3) | 4 | prefix),
        (byte)(0x40 | (isBroadcast ? 0x10 : 0) | ((second & 16) == 0 ? 8 : 0)),
    ]);

    private void Write(ReadOnlySpan<byte> instruction) => bytes.AddRange(instruction);

    private void Write(ReadOnlySpan<byte> instruction, int value)
    {
        bytes.AddRange(instruction);
        bytes.AddRange(BitConverter.GetBytes(value));
    }
}

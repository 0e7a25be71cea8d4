using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Weft.Backends.Cpu.Words;

/// <summary>
/// The matrix unit of Intel's processors since 2023 (AMX): eight registers, called tiles, of 16 rows of 64 bytes, and an instruction that adds the product of two to a third. .NET has no
/// intrinsics for it; what is needed of it are a few short functions of machine code, whose arguments come as System V's convention for x86-64 has them.
/// <para>
/// Tiles belong to a thread: <see cref="Configure"/> before products, <see cref="Release"/> after them. Tiles 0 and 1 are sums, 2 and 3 activations, 4 to 7 weights.
/// </para>
/// </summary>
internal static unsafe class TileUnit
{
    /// <summary>Bytes of a tile.</summary>
    public const int TileBytes = 1024;

    /// <summary>Rows of a tile, and 32-bit sums in one of its rows.</summary>
    public const int TileRows = 16;

    /// <summary>Bytes of a row of a tile.</summary>
    public const int RowBytes = 64;

    private const int Tiles = 8;
    private const int FirstActivations = 2;
    private const int FirstWeights = 4;

    private static readonly byte[] ConfigureCode =
    [
        0xC4, 0xE2, 0x78, 0x49, 0x07, // ldtilecfg [rdi]
        0xC3, // ret
    ];

    private static readonly byte[] ReleaseCode =
    [
        0xC4, 0xE2, 0x78, 0x49, 0xC0, // tilerelease
        0xC3, // ret
    ];

    private static readonly byte[] LoadCode =
    [
        0xB8, 0x40, 0x00, 0x00, 0x00, // mov eax, 64
        0xC4, 0xE2, 0x7B, 0x4B, 0x24, 0x07, // tileloadd tmm4, [rdi + rax]
        0xC4, 0xE2, 0x7B, 0x4B, 0xAC, 0x07, 0x00, 0x04, 0x00, 0x00, // tileloadd tmm5, [rdi + rax + 1024]
        0xC3, // ret
    ];

    private static readonly byte[] LoadTwoCode =
    [
        0xB8, 0x40, 0x00, 0x00, 0x00, // mov eax, 64
        0xC4, 0xE2, 0x7B, 0x4B, 0x24, 0x07, // tileloadd tmm4, [rdi + rax]
        0xC4, 0xE2, 0x7B, 0x4B, 0xAC, 0x07, 0x00, 0x04, 0x00, 0x00, // tileloadd tmm5, [rdi + rax + 1024]
        0xC4, 0xE2, 0x7B, 0x4B, 0xB4, 0x07, 0x00, 0x08, 0x00, 0x00, // tileloadd tmm6, [rdi + rax + 2048]
        0xC4, 0xE2, 0x7B, 0x4B, 0xBC, 0x07, 0x00, 0x0C, 0x00, 0x00, // tileloadd tmm7, [rdi + rax + 3072]
        0xC3, // ret
    ];

    private static readonly byte[] MultiplyCode =
    [
        0xB8, 0x40, 0x00, 0x00, 0x00, // mov eax, 64
        0xC4, 0xE2, 0x7B, 0x49, 0xC0, // tilezero tmm0
        0xC4, 0xE2, 0x7B, 0x49, 0xC8, // tilezero tmm1
        0xC4, 0xE2, 0x7B, 0x4B, 0x14, 0x07, // tileloadd tmm2, [rdi + rax]
        0xC4, 0xE2, 0x5A, 0x5E, 0xC2, // tdpbsud tmm0, tmm2, tmm4
        0xC4, 0xE2, 0x52, 0x5E, 0xCA, // tdpbsud tmm1, tmm2, tmm5
        0xC4, 0xE2, 0x7A, 0x4B, 0x04, 0x06, // tilestored [rsi + rax], tmm0
        0xC4, 0xE2, 0x7A, 0x4B, 0x8C, 0x06, 0x00, 0x04, 0x00, 0x00, // tilestored [rsi + rax + 1024], tmm1
        0xC3, // ret
    ];

    private static readonly byte[] MultiplyTwoCode =
    [
        0xB8, 0x40, 0x00, 0x00, 0x00, // mov eax, 64
        0xC4, 0xE2, 0x7B, 0x49, 0xC0, // tilezero tmm0
        0xC4, 0xE2, 0x7B, 0x49, 0xC8, // tilezero tmm1
        0xC4, 0xE2, 0x7B, 0x4B, 0x14, 0x07, // tileloadd tmm2, [rdi + rax]
        0xC4, 0xE2, 0x7B, 0x4B, 0x1C, 0x06, // tileloadd tmm3, [rsi + rax]
        0xC4, 0xE2, 0x5A, 0x5E, 0xC2, // tdpbsud tmm0, tmm2, tmm4
        0xC4, 0xE2, 0x52, 0x5E, 0xCA, // tdpbsud tmm1, tmm2, tmm5
        0xC4, 0xE2, 0x4A, 0x5E, 0xC3, // tdpbsud tmm0, tmm3, tmm6
        0xC4, 0xE2, 0x42, 0x5E, 0xCB, // tdpbsud tmm1, tmm3, tmm7
        0xC4, 0xE2, 0x7A, 0x4B, 0x04, 0x02, // tilestored [rdx + rax], tmm0
        0xC4, 0xE2, 0x7A, 0x4B, 0x8C, 0x02, 0x00, 0x04, 0x00, 0x00, // tilestored [rdx + rax + 1024], tmm1
        0xC3, // ret
    ];

    // Where each function is; empty on other processors and systems.
    private static readonly nint[] Functions = CanRun ? MachineCode.Load(ConfigureCode, ReleaseCode, LoadCode, LoadTwoCode, MultiplyCode, MultiplyTwoCode) : [];

    /// <summary>Whether this processor and this system have it.</summary>
    public static bool IsSupported => Functions.Length > 0;

    private static bool CanRun => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64 && Avx512BW.IsSupported && HasTiles && MachineCode.AllowTiles();

    private static bool HasTiles
    {
        get
        {
            const int Tile = 1 << 24;
            const int Int8 = 1 << 25;
            return (X86Base.CpuId(7, 0).Edx & (Tile | Int8)) == (Tile | Int8);
        }
    }

    /// <summary>Gives the thread's tiles their sizes: of activations so many rows of so many bytes, of weights as many rows as those bytes meet.</summary>
    /// <param name="rows">Up to <see cref="TileRows"/>.</param>
    /// <param name="bytes">A multiple of four, up to <see cref="RowBytes"/>.</param>
    public static void Configure(int rows, int bytes)
    {
        const int Size = 64;
        const int Widths = 16;
        const int Heights = 48;
        var sizes = stackalloc byte[Size];
        new Span<byte>(sizes, Size).Clear();
        sizes[0] = 1; // the palette
        for (var tile = 0; tile < Tiles; tile++)
        {
            ((ushort*)(sizes + Widths))[tile] = (ushort)(tile is >= FirstActivations and < FirstWeights ? bytes : RowBytes);
            sizes[Heights + tile] = (byte)(tile >= FirstWeights ? bytes / 4 : rows);
        }

        ((delegate* unmanaged[SuppressGCTransition]<byte*, void>)Functions[0])(sizes);
    }

    /// <summary>Empties the thread's tiles, so that the system need not keep them.</summary>
    public static void Release() => ((delegate* unmanaged[SuppressGCTransition]<void>)Functions[1])();

    /// <summary>Takes 64 columns of 32 rows of weights.</summary>
    /// <param name="w">[2, 16, 16, 4] unsigned bytes: rows of weights by sixteens, four columns, row, column.</param>
    public static void Load(byte* w) => ((delegate* unmanaged[SuppressGCTransition]<byte*, void>)Functions[2])(w);

    /// <summary>Takes 128 columns: two of what <see cref="Load"/> takes.</summary>
    public static void LoadTwo(byte* w) => ((delegate* unmanaged[SuppressGCTransition]<byte*, void>)Functions[3])(w);

    /// <summary>Products of a tile of activations with the weights of <see cref="Load"/>: sums[2, rows, 16].</summary>
    /// <param name="x">Rows of signed bytes, 64 apart.</param>
    /// <param name="sums">Receives 32-bit integers, 64 bytes a row, in tiles of 1024 bytes.</param>
    public static void Multiply(byte* x, int* sums) => ((delegate* unmanaged[SuppressGCTransition]<byte*, int*, void>)Functions[4])(x, sums);

    /// <summary>With the weights of <see cref="LoadTwo"/>, and two tiles of activations, whose products are added up.</summary>
    public static void MultiplyTwo(byte* x, byte* second, int* sums) =>
        ((delegate* unmanaged[SuppressGCTransition]<byte*, byte*, int*, void>)Functions[5])(x, second, sums);
}

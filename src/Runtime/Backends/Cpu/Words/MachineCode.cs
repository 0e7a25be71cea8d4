using System.Runtime.InteropServices;

namespace Weft.Backends.Cpu.Words;

/// <summary>Instructions that .NET has no intrinsics for, in memory that can be executed. Linux.</summary>
internal static unsafe partial class MachineCode
{
    private const int Readable = 1;
    private const int Writable = 2;
    private const int Executable = 4;
    private const int PrivateAnonymous = 0x22;
    private const long ArchPrctl = 158;
    private const long RequestPermission = 0x1023; // ARCH_REQ_XCOMP_PERM
    private const long TileData = 18; // XFEATURE_XTILEDATA
    private const int PageSize = 4096;
    private const int Alignment = 64;

    /// <summary>Asks the system to keep the tiles of this process's threads, which are 8 KiB each.</summary>
    /// <returns>Whether it does; an older system, or a signal stack that is too small for them, says no.</returns>
    public static bool AllowTiles() => SystemCall(ArchPrctl, RequestPermission, TileData) == 0;

    /// <summary>Copies functions that stay until the process ends.</summary>
    /// <returns>The address of each; none where the system allows no new code.</returns>
    public static nint[] Load(params byte[][] functions)
    {
        var size = (nuint)(functions.Sum(function => Aligned(function.Length)) + PageSize - 1) / PageSize * PageSize;
        var memory = Map(0, size, Readable | Writable, PrivateAnonymous, -1, 0);
        if (memory == -1)
            return [];
        var addresses = new nint[functions.Length];
        var next = memory;
        for (var i = 0; i < functions.Length; i++)
        {
            functions[i].CopyTo(new Span<byte>((void*)next, functions[i].Length));
            addresses[i] = next;
            next += Aligned(functions[i].Length);
        }

        return Protect(memory, size, Readable | Executable) == 0 ? addresses : [];
    }

    private static int Aligned(int length) => (length + Alignment - 1) / Alignment * Alignment;

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long SystemCall(long number, long first, long second);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint length, int protection);
}

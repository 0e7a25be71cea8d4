using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Weft.Backends.Cpu.Amx;
using Weft.Reference;

namespace Weft.Runtime.Tests.Backends;

/// <summary>Machine code: that the bytes are the instructions which stand beside them, and that tiles survive what else a thread's system does with it.</summary>
[TestFixture]
public sealed unsafe partial class TileUnitTests
{
    private int wrong;

    [Test]
    public void Bytes_are_what_the_assembler_makes_of_the_instructions_beside_them()
    {
        var folder = Directory.CreateTempSubdirectory("weft-tiles").FullName;
        try
        {
            var source = File.ReadAllText(Path.Combine(SharedData.Repository, "src/Runtime/Backends/Cpu/Amx/TileUnit.cs"));
            var lines = CodeLine().Matches(source);
            Assert.That(lines, Has.Count.GreaterThan(30));
            var (text, objects, binary) = (Path.Combine(folder, "tiles.s"), Path.Combine(folder, "tiles.o"), Path.Combine(folder, "tiles.bin"));
            File.WriteAllText(text, ".intel_syntax noprefix\n" + string.Concat(lines.Select(line => line.Groups["instruction"].Value + "\n")));
            Run("as", text, "-o", objects);
            Run("objcopy", "-O", "binary", "-j", ".text", objects, binary);
            var bytes = lines.SelectMany(line => Hexadecimal().Matches(line.Groups["bytes"].Value)).Select(match => Convert.ToByte(match.Value, 16));
            Assert.That(File.ReadAllBytes(binary), Is.EqualTo(bytes));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void Threads_keep_their_tiles_while_others_and_the_collector_run()
    {
        if (!TileUnit.IsSupported)
            Assert.Ignore("this machine does not have AMX");
        var threads = Enumerable.Range(1, 4).Select(i => new Thread(() => Multiply((byte)i))).ToList();
        threads.ForEach(thread => thread.Start());
        while (threads.Exists(thread => thread.IsAlive))
            GC.Collect();
        Assert.That(wrong, Is.Zero);
    }

    private void Multiply(byte value)
    {
        const int Columns = 128;
        var memory = stackalloc byte[(8 * TileUnit.TileBytes) + TileUnit.RowBytes];
        var x = (byte*)(((nint)memory + TileUnit.RowBytes - 1) / TileUnit.RowBytes * TileUnit.RowBytes);
        var (w, sums) = ((nint)(x + (2 * TileUnit.TileBytes)), (nint)(x + (6 * TileUnit.TileBytes)));
        new Span<byte>(x, 2 * TileUnit.TileBytes).Fill(value);
        new Span<byte>((byte*)w, 4 * TileUnit.TileBytes).Fill(2);
        for (var round = 0; round < 200; round++)
        {
            TileUnit.Configure(TileUnit.TileRows, TileUnit.RowBytes);
            TileUnit.LoadTwo((byte*)w);
            for (var i = 0; i < 100; i++)
            {
                TileUnit.MultiplyTwo(x, x + TileUnit.TileBytes, (int*)sums);
                if (new Span<int>((int*)sums, 2 * TileUnit.TileBytes / sizeof(int)).ContainsAnyExcept(Columns * 2 * value))
                    Interlocked.Increment(ref wrong);
            }

            TileUnit.Release();
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(program, arguments);
            process.WaitForExit();
            Assert.That(process.ExitCode, Is.Zero, program);
        }
        catch (Win32Exception)
        {
            Assert.Ignore($"there is no '{program}'");
        }
    }

    [GeneratedRegex(@"^\s+(?<bytes>(?:0x[0-9A-F]{2}, )+)// (?<instruction>.+)$", RegexOptions.Multiline)]
    private static partial Regex CodeLine();

    [GeneratedRegex("0x[0-9A-F]{2}")]
    private static partial Regex Hexadecimal();
}

using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Weft.Backends.Cpu.Words;
using Weft.Reference;

namespace Weft.Runtime.Tests.Backends;

/// <summary>Machine code: that the bytes are the instructions which stand beside them, and that tiles survive what else a thread's system does with it.</summary>
[TestFixture]
public sealed unsafe partial class MachineCodeTests
{
    private int wrong;

    [Test]
    public void Bytes_are_what_the_assembler_makes_of_the_instructions_beside_them()
    {
        var source = File.ReadAllText(Path.Combine(SharedData.Repository, "src/Runtime/Backends/Cpu/Words/TileUnit.cs"));
        var lines = CodeLine().Matches(source);
        Assert.That(lines, Has.Count.GreaterThan(30));
        var bytes = lines.SelectMany(line => Hexadecimal().Matches(line.Groups["bytes"].Value)).Select(match => Convert.ToByte(match.Value, 16));
        Assert.That(Assembled(lines.Select(line => line.Groups["instruction"].Value)), Is.EqualTo(bytes));
    }

    /// <summary>Every register, and what stands in the names of registers and addresses.</summary>
    [Test]
    public void Instructions_are_what_the_assembler_makes_of_their_text()
    {
        var code = new Assembler();
        List<string> text = [];
        for (var z = 0; z < 32; z++)
        {
            var other = 31 - z;
            code.Clear(z);
            text.Add($"vpxord zmm{z}, zmm{z}, zmm{z}");
            code.AddIntegers(z, other);
            text.Add($"vpaddd zmm{z}, zmm{z}, zmm{other}");
            code.ShiftLeft(z, 8);
            text.Add($"vpslld zmm{z}, zmm{z}, 8");
            code.Load(z, Assembler.R10, 1024 * z);
            text.Add($"{{disp32}} vmovdqu32 zmm{z}, [r10 + {1024 * z}]");
            code.Store(z, Assembler.Rdx, 64 * z);
            text.Add($"{{disp32}} vmovdqu32 [rdx + {64 * z}], zmm{z}");
            code.Broadcast(z, Assembler.R11, 4 * z);
            text.Add($"{{disp32}} vpbroadcastd zmm{z}, dword ptr [r11 + {4 * z}]");
            var third = (z * 7) % 32;
            code.Dot(z, other, third);
            text.Add($"{{evex}} vpdpbusd zmm{z}, zmm{other}, zmm{third}");
            code.ShiftWordsRight(z, other, 4);
            text.Add($"vpsrlw zmm{z}, zmm{other}, 4");
            code.And(z, other, third);
            text.Add($"vpandd zmm{z}, zmm{other}, zmm{third}");
            foreach (var isHigh in (bool[])[false, true])
            {
                code.Interleave(z, other, third, isHigh);
                code.InterleaveQuads(z, other, third, isHigh);
                var half = isHigh ? 'h' : 'l';
                text.AddRange([$"vpunpck{half}dq zmm{z}, zmm{other}, zmm{third}", $"vpunpck{half}qdq zmm{z}, zmm{other}, zmm{third}"]);
            }

            code.ShuffleLanes(z, other, third, 0xDD);
            text.Add($"vshufi32x4 zmm{z}, zmm{other}, zmm{third}, 0xDD");
            code.Permute(z, other, third);
            text.Add($"vpermd zmm{z}, zmm{other}, zmm{third}");
            code.Permute(z, other, Assembler.Rsi, 32 * z);
            text.Add($"{{disp32}} vpermd zmm{z}, zmm{other}, [rsi + {32 * z}]");
            code.ToFloats(z, other);
            text.Add($"vcvtdq2ps zmm{z}, zmm{other}");
            code.LoadHalves(z, Assembler.Rdx, 32 * z);
            text.Add($"{{disp32}} vcvtph2ps zmm{z}, [rdx + {32 * z}]");
            code.LoadBytes(z, Assembler.R11, 16 * z);
            text.Add($"{{disp32}} vpmovzxbd zmm{z}, [r11 + {16 * z}]");
            code.AddFloats(z, other);
            text.Add($"vaddps zmm{z}, zmm{z}, zmm{other}");
            code.MultiplyFloats(z, other, Assembler.Rcx, 4 * z);
            text.Add($"{{disp32}} vmulps zmm{z}, zmm{other}, dword ptr [rcx + {4 * z}]{{1to16}}");
            code.AddProduct(z, other, third);
            text.Add($"vfmadd231ps zmm{z}, zmm{other}, zmm{third}");
            code.AddProduct(z, other, Assembler.R11, 4 * z);
            text.Add($"{{disp32}} vfmadd231ps zmm{z}, zmm{other}, dword ptr [r11 + {4 * z}]{{1to16}}");
            code.SubtractProduct(z, other, Assembler.R10, 4 * z);
            text.Add($"{{disp32}} vfnmadd231ps zmm{z}, zmm{other}, dword ptr [r10 + {4 * z}]{{1to16}}");
        }

        code.Address(Assembler.R10, Assembler.Rdi, 2048);
        code.Address(Assembler.R11, Assembler.Rsi, 64);
        code.AddRegister(Assembler.R11, Assembler.Rcx);
        code.Set(Assembler.Rax, 16);
        code.Move(Assembler.Rax, Assembler.Rdx);
        code.AddRegister(Assembler.Rcx, Assembler.R9, 32);
        code.AddRegister(Assembler.R10, Assembler.R9, 40);
        code.LoadRegister(Assembler.Rdx, Assembler.R9, 48);
        code.LoadRegister(Assembler.R8, Assembler.R9, 56);
        code.Prefetch(Assembler.Rdi, 4096);
        var loop = code.Here;
        var end = code.LeaveWhenZero();
        code.Add(Assembler.R10, 300);
        code.Add(Assembler.R11, 400);
        code.LoopWhileNotZero(loop);
        code.Land(end);
        code.Return();
        text.AddRange(
        [
            "{disp32} lea r10, [rdi + 2048]", "{disp32} lea r11, [rsi + 64]", "add r11, rcx", "mov eax, 16", "mov rax, rdx", "{disp32} add rcx, [r9 + 32]", "{disp32} add r10, [r9 + 40]",
            "{disp32} mov rdx, [r9 + 48]", "{disp32} mov r8, [r9 + 56]", "{disp32} prefetcht0 [rdi + 4096]",
            "loop_begin: dec eax", "{disp32} jz loop_end", "add r10, 300", "add r11, 400", "dec eax", "{disp32} jnz loop_begin", "loop_end: ret",
        ]);
        Assert.That(code.Code, Is.EqualTo(Assembled(text)));
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

    private static byte[] Assembled(IEnumerable<string> instructions)
    {
        var folder = Directory.CreateTempSubdirectory("weft-code").FullName;
        try
        {
            var (text, objects, binary) = (Path.Combine(folder, "code.s"), Path.Combine(folder, "code.o"), Path.Combine(folder, "code.bin"));
            File.WriteAllText(text, ".intel_syntax noprefix\n" + string.Concat(instructions.Select(line => line + "\n")));
            Run("as", text, "-o", objects);
            Run("objcopy", "-O", "binary", "-j", ".text", objects, binary);
            return File.ReadAllBytes(binary);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
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

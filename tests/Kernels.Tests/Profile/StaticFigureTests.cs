using System.Buffers.Binary;
using System.Text;
using Weft.Interop;
using Weft.Profile.Static;

namespace Weft.Kernels.Tests.Profile;

/// <summary>What static profiles reckon: code sizes, PTX statements, occupancy, rooflines.</summary>
[TestFixture]
public sealed class StaticFigureTests
{
    private const string Ptx = """
        .version 8.4
        .visible .entry _Z1a(
        	.param .u64 _Z1a_param_0
        )
        .maxntid 256, 1, 1
        {
        	.reg .pred 	%p<2>;
        	ld.param.u64 	%rd1, [_Z1a_param_0];
        	mov.u32 	%r1, %tid.x;
        	@%p1 bra 	$L__BB0_2;
        	ld.global.nc.v4.u32 	{%r1, %r2, %r3, %r4}, [%rd1];
        	// begin inline asm
        	mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, {%f1, %f2, %f3, %f4};
        	// end inline asm
        	fma.rn.f32 	%f1, %f2, %f3, %f4;
        	@!%p1 add.s32 	%r1, %r2, %r3;
        	st.shared.u32 	[%r1], %r2;
        	st.local.u32 	[%rd2], %r2;
        	cp.async.cg.shared.global [%r1], [%rd1], 16, %r2;
        	bar.sync 	0;
        $L__BB0_2:
        	ret;
        }
        .visible .entry _Z1b(
        	.param .u64 _Z1b_param_0
        )
        .maxntid 32, 1, 1
        {
        	ret;
        }
        """;

    [Test]
    public void Statements_are_counted_by_kind()
    {
        var codes = CompiledCode.Parse(Elf(("_Z1a", 640), ("_Z1b", 128)), Ptx);
        Assert.That(codes.Keys, Is.EquivalentTo(new[] { "_Z1a", "_Z1b" }));
        var a = codes["_Z1a"];
        Assert.That((a.CodeBytes, a.Threads), Is.EqualTo((640, 256)));
        Assert.That(CompiledCode.Kinds.Zip(a.Mix), Is.EqualTo(new[]
        {
            ("tensor", 1), ("global", 1), ("shared", 1), ("async", 1), ("local", 1), ("float", 1), ("integer", 1), ("control", 3), ("other", 2),
        }));
        Assert.That((codes["_Z1b"].CodeBytes, codes["_Z1b"].Threads, codes["_Z1b"].Mix.Sum()), Is.EqualTo((128, 32, 1)));
    }

    // Figures of the CUDA occupancy calculator.
    [TestCase(80, 256, 32, 0, 8, 1.0, "Threads")]
    [TestCase(80, 256, 40, 0, 6, 0.75, "Registers")]
    [TestCase(80, 128, 255, 0, 2, 0.125, "Registers")]
    [TestCase(80, 256, 32, 48 << 10, 3, 0.375, "SharedMemory")]
    [TestCase(86, 128, 64, 33 << 10, 2, 8 / 48.0, "SharedMemory")]
    [TestCase(89, 256, 128, 0, 2, 16 / 48.0, "Registers")]
    [TestCase(75, 64, 32, 0, 16, 1.0, "Threads")]
    [TestCase(90, 128, 177, 80 << 10, 2, 0.125, "Registers")]
    public void Occupancy_follows_from_threads_registers_and_shared_memory(
        int computeCapability, int threads, int registers, int shared, int blocks, double occupancy, string limit)
    {
        var actual = MultiprocessorLimits.Of(computeCapability).Occupancy(new LaunchShape(1, 1, 1, threads, shared), registers);
        Assert.That(actual.Blocks, Is.EqualTo(blocks));
        Assert.That(actual.Occupancy, Is.EqualTo(occupancy).Within(1e-12));
        Assert.That(actual.Limit.ToString(), Is.EqualTo(limit));
    }

    [Test]
    public void A_roofline_is_the_slowest_of_memory_and_units()
    {
        var gpu = GpuModel.All.Single(model => model.Name == "H200");
        Assert.That(gpu.Roofline(4.8e9, 0, 0), Is.EqualTo(1000).Within(1e-9));
        Assert.That(gpu.Roofline(1, 989e9, 0), Is.EqualTo(1000).Within(1e-9));
        Assert.That(gpu.Roofline(1, 1, 67e9), Is.EqualTo(1000).Within(1e-9));
    }

    [Test]
    public void The_named_gpus_have_figures_with_sources()
    {
        Assert.That(GpuModel.All.Select(gpu => gpu.Name), Is.EquivalentTo(new[] { "T4", "A10", "A100", "L4", "L40S", "RTX 4090", "H100", "H200", "B200" }));
        Assert.That(GpuModel.All.Select(gpu => gpu.Source), Has.None.Empty);
    }

    /// <summary>A file of sections .text.NAME of the given sizes, and one of their names.</summary>
    private static byte[] Elf(params (string Name, int Size)[] kernels)
    {
        const int Header = 64;
        var names = "\0" + string.Concat(kernels.Select(kernel => $".text.{kernel.Name}\0"));
        var count = kernels.Length + 1;
        var file = new byte[Header + (count * Header) + names.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(0x28), Header);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x3A), Header);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(0x3C), (ushort)count);
        var at = Header + (count * Header);
        Encoding.ASCII.GetBytes(names, file.AsSpan(at));
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(Header + 0x18), (ulong)at);
        for (var (i, name) = (0, 1); i < kernels.Length; name += 7 + kernels[i++].Name.Length)
        {
            var section = file.AsSpan(Header * (i + 2));
            BinaryPrimitives.WriteUInt32LittleEndian(section, (uint)name);
            BinaryPrimitives.WriteUInt64LittleEndian(section[0x20..], (ulong)kernels[i].Size);
        }

        return file;
    }
}

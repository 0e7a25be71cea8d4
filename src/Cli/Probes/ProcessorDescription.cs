using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu;

namespace Weft.Cli.Probes;

/// <summary>Names of this machine's processor, for people.</summary>
internal static class ProcessorDescription
{
    /// <summary>The product name, where the system tells it.</summary>
    public static string Name
    {
        get
        {
            var cpuinfo = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo") : [];
            var line = cpuinfo.FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
            return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
                ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER")
                ?? RuntimeInformation.ProcessArchitecture.ToString();
        }
    }

    /// <summary>The instruction sets that matter here, widest first, and the vector width in use.</summary>
    public static string InstructionSets
    {
        get
        {
            var width = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 32;
            (string Name, bool Supported)[] known =
            [
                (InstructionSet.Amx.Name(), Backends.Cpu.InstructionSets.IsSupported(InstructionSet.Amx)),
                (InstructionSet.Vnni.Name(), Backends.Cpu.InstructionSets.IsSupported(InstructionSet.Vnni)),
                ("AVX-512", Avx512F.IsSupported), ("AVX2", Avx2.IsSupported), ("FMA", Fma.IsSupported), ("AdvSimd", AdvSimd.IsSupported),
                ("dot product", Dp.IsSupported),
            ];
            var names = string.Join(", ", known.Where(k => k.Supported).Select(k => k.Name));
            return $"{(names.Length == 0 ? "scalar" : names)} ({width}-bit vectors)";
        }
    }
}

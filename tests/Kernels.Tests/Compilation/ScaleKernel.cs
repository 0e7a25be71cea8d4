using System.Runtime.InteropServices;
using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Kernels.Tests.Support;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>A kernel of the tests' own, in a folder that they may damage: values[i] = values[i] · factor + Step.</summary>
internal static class ScaleKernel
{
    public const string File = "scale.cu";

    public const string Source = """
        #include "common/offset.cuh"

        namespace weft {

        struct ScaleParams {
          float* values;
          int count;
          float factor;
        };

        template <int Step>
        __global__ void __launch_bounds__(64) scale(ScaleParams p) {
          const int i = blockIdx.x * 64 + threadIdx.x;
          if (i < p.count) p.values[i] = p.values[i] * p.factor + Step + kOffset;
        }

        }  // namespace weft
        """;

    public static KernelInstance Instance(int step) => new(File, $"weft::scale<{step}>");

    public static LaunchShape Shape(int count) => new((count + 63) / 64, 1, 1, 64, 0);

    /// <summary>Writes the kernel's folder: the file and the header that it includes, with <paramref name="offset"/> in it.</summary>
    public static KernelSources Write(string folder, string source = Source, int offset = 0)
    {
        Directory.CreateDirectory(Path.Combine(folder, "common"));
        System.IO.File.WriteAllText(Path.Combine(folder, File), source);
        System.IO.File.WriteAllText(Path.Combine(folder, "common", "offset.cuh"), $"#pragma once\nnamespace weft {{\nconstexpr int kOffset = {offset};\n}}\n");
        return KernelSources.FromFolder(folder);
    }

    /// <summary>Runs the kernel on 1, 2, 3 … and returns what the last of <paramref name="count"/> has become.</summary>
    public static float Run(KernelLibrary library, TestDevice device, int step, int count = 100, float factor = 2)
    {
        using var values = device.Poisoned<float>(count);
        values.Memory.CopyFrom<float>([.. Enumerable.Range(1, count).Select(i => (float)i)]);
        library.Get(Instance(step)).Launch(device.Stream, Shape(count), new ScaleParams { Values = values.Address, Count = count, Factor = factor });
        device.Stream.Synchronize();
        return values.Download()[^1];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct ScaleParams
    {
        public nuint Values;
        public int Count;
        public float Factor;
    }
}

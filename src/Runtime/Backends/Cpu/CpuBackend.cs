using System.Runtime.Intrinsics;
using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.Scheduling;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Backends.Cpu;

/// <summary>What a CPU program is made for.</summary>
/// <param name="Instructions">Vectors to use.</param>
/// <param name="Threads">Threads, the caller's included.</param>
/// <param name="CacheType">Element type of the key/value cache.</param>
/// <param name="CacheBlocks">Blocks of the cache.</param>
/// <param name="MaxPositions">Longest sequence.</param>
/// <param name="StateSlots">Slots of the states of recurrent blocks.</param>
/// <param name="RoundsActivations">What meets int4 and int8 becomes integers, too.</param>
internal sealed record CpuOptions(InstructionSet Instructions, int Threads, DataType CacheType, int CacheBlocks, int MaxPositions, int StateSlots, bool RoundsActivations);

/// <summary>Chooses the compiled body of the kernels: vector width by the machine, cache format by the user.</summary>
internal static class CpuBackend
{
    /// <summary>Binds a fused graph to this machine.</summary>
    public static StepProgram Compile(StepGraph graph, WeftFile file, StepBatch batch, CpuOptions options)
    {
        // Weights of one product share activations that were packed for their type.
        graph = Fusion.SplitUnlike(graph, (a, b) => file.Find(a).DataType == file.Find(b).DataType);
        foreach (var experts in graph.Nodes.OfType<ExpertsNode>())
            RequireAlike(file, file.Find(experts.Inner[0].Weight), file.Find(experts.Inner[^1].Weight));
        return options.Instructions switch
        {
            InstructionSet.Vector512 or InstructionSet.Vnni or InstructionSet.Amx => Compile<Simd512, Vector512<float>>(graph, file, batch, options),
            InstructionSet.Vector256 => Compile<Simd256, Vector256<float>>(graph, file, batch, options),
            InstructionSet.Vector128 => Compile<Simd128, Vector128<float>>(graph, file, batch, options),
            _ => Compile<SimdScalar, float>(graph, file, batch, options),
        };
    }

    private static void RequireAlike(WeftFile file, TensorEntry first, TensorEntry other)
    {
        if (first.DataType != other.DataType)
            throw new WeftException($"{file.Path}: '{first.Name}' is {first.DataType.Name()} and '{other.Name}' {other.DataType.Name()}, which experts cannot be together; convert with --dtype or --quant to make them alike");
    }

    private static StepProgram Compile<TSimd, TVector>(
        StepGraph graph, WeftFile file, StepBatch batch, CpuOptions options)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => options.CacheType switch
        {
            DataType.Float32 => new CpuProgram<TSimd, TVector, Float32Cache>(graph, file, batch, options),
            DataType.BFloat16 => new CpuProgram<TSimd, TVector, BFloat16Cache>(graph, file, batch, options),
            _ => new CpuProgram<TSimd, TVector, Float16Cache>(graph, file, batch, options),
        };
}

using Weft.Backends.Cpu;
using Weft.Backends.Cuda.Operations;
using Weft.Tensors;

namespace Weft;

/// <summary>How a packed model is loaded.</summary>
public sealed record ModelOptions
{
    /// <summary>Where it runs.</summary>
    public DeviceChoice Device { get; init; }

    /// <summary>Element type of the key/value cache; null is f16, f32 on the CPU where weights are, the model needs it or all of it takes no more than 64 MiB, and bf16 on a GPU where it needs that. A GPU takes no f32.</summary>
    public DataType? CacheType { get; init; }

    /// <summary>
    /// 16-bit type of weights and activations on a GPU; null takes the weights' own where the GPU can, f16 for f32. The CPU computes in float32, but rounds what it multiplies with int4 and int8
    /// to 8 bits, or to 16 where it has AVX-512 VNNI or AMX, unless this is f32.
    /// </summary>
    public DataType? ActivationType { get; init; }

    /// <summary>Threads of the CPU backend, the caller's included; 0 takes one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// Tokens that the key/value cache holds over all sequences; 0 takes the model's context length, and where several sequences run eight
    /// times that, as far as a quarter of the memory goes. Fewer than the context make the context shorter; more make it
    /// longer where a rotary base that grows with the text sets no end to it. A context of more than 2²⁰ tokens is taken as long as that quarter allows, and no longer than that.
    /// </summary>
    public int CacheTokens { get; init; }

    /// <summary>Largest number of tokens in one step; longer prompts are processed in chunks of this size.</summary>
    public int MaxTokensPerStep { get; init; } = 512;

    /// <summary>Vectors that the CPU kernels use; null takes the widest that the machine has.</summary>
    public InstructionSet? Instructions { get; init; }

    /// <summary>Most sequences in one step: how many generations an engine runs at a time.</summary>
    public int MaxSequences { get; init; } = 1;

    /// <summary>
    /// A request's tokens do not depend on what else is computed beside it. On a GPU that takes one order of sums whatever the batch; without it, many
    /// rows are multiplied by cuBLAS, which is faster for long prompts, and a cached prefix may hold tokens that another request drew. The CPU
    /// is always invariant.
    /// </summary>
    public bool BatchInvariant { get; init; } = true;

    /// <summary>In place of what would be measured (<see cref="Model.MeasuredChoices"/>): tests go each way.</summary>
    internal ProductWays? ProductWays { get; init; }

    internal void Validate()
    {
        if (Threads is < 0 or > 1024)
            throw new WeftException($"threads is {Threads}; it must be 0 (one per processor) to 1024");
        if (CacheTokens < 0)
            throw new WeftException($"the cache size is {CacheTokens} tokens; it must be 0 (the model's context length) or more");
        if (MaxTokensPerStep < 1)
            throw new WeftException($"the largest step is {MaxTokensPerStep} tokens; it must be at least 1");
        if (MaxSequences is < 1 or > 4096)
            throw new WeftException($"the most sequences in one step are {MaxSequences}; it must be 1 to 4096");
        if (Instructions is { } set && !InstructionSets.IsSupported(set))
            throw new WeftException($"this machine does not have {set.Name()}");
    }
}

using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Element types of an attention kernel.</summary>
/// <param name="Result">Of what it writes: the activations'.</param>
/// <param name="Cache">Of queries, keys and values, and of the weights that it multiplies values by.</param>
internal readonly record struct AttentionTypes(DataType Result, DataType Cache)
{
    /// <summary>
    /// A cache of f16 whatever the activations: rounding keys and values to the eight bits of bf16 would cost as much as rounding everything else
    /// (docs/kernels.md).
    /// </summary>
    public static IReadOnlyList<AttentionTypes> Usual { get; } = [new(DataType.Float16, DataType.Float16), new(DataType.BFloat16, DataType.Float16)];

    /// <summary>For keys that take more powers of two than f16 has.</summary>
    public static AttentionTypes Wide { get; } = new(DataType.BFloat16, DataType.BFloat16);

    /// <summary>Their C++ names in a name expression.</summary>
    public string CudaNames => $"{Result.CudaName()},{Cache.CudaName()}";
}

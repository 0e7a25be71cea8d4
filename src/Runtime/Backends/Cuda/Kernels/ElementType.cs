using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>How kernels/common/types.cuh spells an element type.</summary>
internal static class ElementType
{
    /// <summary>The C++ name of <paramref name="type"/> in a name expression.</summary>
    public static string CudaName(this DataType type) => type switch
    {
        DataType.Float32 => "float",
        DataType.BFloat16 => "weft::bf16",
        DataType.Float16 => "weft::f16",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "kernels have no such element type"),
    };
}

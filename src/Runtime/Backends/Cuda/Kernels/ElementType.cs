using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>How kernels and cuBLASLt spell an element type.</summary>
internal static class ElementType
{
    /// <summary>The 16-bit types that a model's weights, activations and cache can have on the device.</summary>
    public static IReadOnlyList<DataType> Halves { get; } = [DataType.Float16, DataType.BFloat16];

    /// <summary>The C++ name of <paramref name="type"/> in a name expression.</summary>
    public static string CudaName(this DataType type) => type switch
    {
        DataType.Float32 => "float",
        DataType.BFloat16 => "weft::bf16",
        DataType.Float16 => "weft::f16",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "kernels have no such element type"),
    };

    /// <summary>cuBLASLt's number of <paramref name="type"/>.</summary>
    public static MatrixType Matrix(this DataType type) => type switch
    {
        DataType.Float32 => MatrixType.Float32,
        DataType.BFloat16 => MatrixType.BFloat16,
        DataType.Float16 => MatrixType.Float16,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "products have no such element type"),
    };
}

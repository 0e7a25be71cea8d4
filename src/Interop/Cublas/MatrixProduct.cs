namespace Weft.Interop;

/// <summary>Element types of matrices on the device; the values are cudaDataType_t's.</summary>
public enum MatrixType
{
    /// <summary>IEEE 754 binary32.</summary>
    Float32 = 0,

    /// <summary>IEEE 754 binary16.</summary>
    Float16 = 2,

    /// <summary>bfloat16.</summary>
    BFloat16 = 14,

    /// <summary>8 bits: 4 of exponent, 3 of mantissa, no infinity.</summary>
    Float8E4M3 = 28,
}

/// <summary>What is done to a product before it is stored; the values are cublasLtEpilogue_t's without bias.</summary>
public enum ProductActivation
{
    /// <summary>Nothing.</summary>
    None = 1,

    /// <summary>max(x, 0).</summary>
    Relu = 2,

    /// <summary>The tanh approximation of gelu.</summary>
    GeluTanh = 32,
}

/// <summary>
/// Everything about a product but its addresses: y[N, M] = activation(x[N, K] · W[M, K]ᵀ + bias[M] + β·y), row-major, each of
/// <paramref name="Batches"/> matrices its strides after the one before.
/// </summary>
/// <param name="N">Rows of x and y.</param>
/// <param name="M">Rows of W, columns of y.</param>
/// <param name="K">Columns of x and W.</param>
/// <param name="XStride">Elements from a row of x to the next.</param>
/// <param name="WStride">Elements from a row of W to the next.</param>
/// <param name="YStride">Elements from a row of y to the next.</param>
/// <param name="InputType">Of x and W.</param>
/// <param name="OutputType">Of y.</param>
/// <param name="HasBias">A bias follows.</param>
/// <param name="BiasType">Of the bias.</param>
/// <param name="Accumulate">β is 1, else 0.</param>
/// <param name="Activation">Before storing.</param>
/// <param name="Batches">Independent products.</param>
/// <param name="XBatchStride">Elements from one x to the next.</param>
/// <param name="WBatchStride">Elements from one W to the next.</param>
/// <param name="YBatchStride">Elements from one y to the next.</param>
public readonly record struct ProductShape(
    int N,
    int M,
    int K,
    int XStride,
    int WStride,
    int YStride,
    MatrixType InputType,
    MatrixType OutputType,
    bool HasBias = false,
    MatrixType BiasType = MatrixType.Float32,
    bool Accumulate = false,
    ProductActivation Activation = ProductActivation.None,
    int Batches = 1,
    long XBatchStride = 0,
    long WBatchStride = 0,
    long YBatchStride = 0);

/// <summary>Device addresses of a product; those not used are 0.</summary>
/// <param name="X">x.</param>
/// <param name="W">W.</param>
/// <param name="Y">y.</param>
/// <param name="Bias">bias.</param>
/// <param name="XScale">A float32 on the device, for 8-bit x.</param>
/// <param name="WScale">A float32 on the device, for 8-bit W.</param>
public readonly record struct ProductOperands(nuint X, nuint W, nuint Y, nuint Bias = 0, nuint XScale = 0, nuint WScale = 0);

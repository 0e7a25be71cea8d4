using Weft.Backends.Cuda.Operations;
using Weft.Tensors;

namespace Weft.Backends.Cuda;

/// <summary>What a CUDA program is made for.</summary>
/// <param name="Ordinal">Number of the device.</param>
/// <param name="ActivationType">16-bit type of weights and activations; null takes the weights' own where the device can, f16 for f32.</param>
/// <param name="CacheType">16-bit type of the cache; null is f16, or bf16 where the model needs its range.</param>
/// <param name="CacheBlocks">Blocks of the cache.</param>
/// <param name="MaxPositions">Longest sequence.</param>
/// <param name="BatchInvariant">A token's bits do not depend on what else is in the step: every number of rows is added up in one order, by our own kernels.</param>
/// <param name="StateSlots">Slots of the states of recurrent blocks.</param>
/// <param name="Ways">Of quantized products where the batch may matter; null measures them.</param>
internal sealed record CudaOptions(int Ordinal, DataType? ActivationType, DataType? CacheType, int CacheBlocks, int MaxPositions, bool BatchInvariant, int StateSlots, ProductWays? Ways = null);

using Weft.Tensors;

namespace Weft.Backends.Cuda;

/// <summary>What a CUDA program is made for.</summary>
/// <param name="Ordinal">Number of the device.</param>
/// <param name="ActivationType">16-bit type of weights, activations and cache; null takes the weights' own where the device can.</param>
/// <param name="CacheBlocks">Blocks of the cache.</param>
/// <param name="MaxPositions">Longest sequence.</param>
/// <param name="BatchInvariant">A token's bits do not depend on what else is in the step: every number of rows is added up in one order, by our own kernels.</param>
/// <param name="StateSlots">Slots of the states of recurrent blocks.</param>
internal sealed record CudaOptions(int Ordinal, DataType? ActivationType, int CacheBlocks, int MaxPositions, bool BatchInvariant, int StateSlots);

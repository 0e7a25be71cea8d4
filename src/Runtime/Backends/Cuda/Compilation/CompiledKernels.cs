namespace Weft.Backends.Cuda.Compilation;

/// <summary>The image of one compilation and the names of its instances in it; what a cache entry holds.</summary>
/// <param name="Image">Cubin or PTX.</param>
/// <param name="LoweredNames">By name expression.</param>
internal sealed record CompiledKernels(ReadOnlyMemory<byte> Image, IReadOnlyDictionary<string, string> LoweredNames);

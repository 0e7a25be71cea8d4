namespace Weft.Backends.Cuda.Kernels;

/// <summary>One instance of a kernel template.</summary>
/// <param name="Source">File under kernels/: <c>norm.cu</c>.</param>
/// <param name="Expression">Its NVRTC name expression: <c>weft::norm&lt;weft::bf16&gt;</c>.</param>
internal readonly record struct KernelInstance(string Source, string Expression);

namespace Weft.Interop;

/// <summary>Who implements the CUDA functions in this process.</summary>
public enum CudaPlatform
{
    /// <summary>The driver, NVRTC and cuBLASLt of NVIDIA.</summary>
    Nvidia,

    /// <summary>The software device, <c>libcudasim.so</c>.</summary>
    Simulator,
}

/// <summary>One library that the CUDA backend needs and where it was found.</summary>
/// <param name="Name">What it is: <c>CUDA driver</c>.</param>
/// <param name="Path">Where it is, or null.</param>
/// <param name="Advice">One line to run or read when it is missing.</param>
public sealed record LibraryProbe(string Name, string? Path, string Advice);

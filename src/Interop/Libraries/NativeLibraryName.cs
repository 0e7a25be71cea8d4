namespace Weft.Interop.Libraries;

/// <summary>A native library under all the names that CUDA 11, 12 and 13 give it.</summary>
/// <param name="Key">The name in LibraryImport attributes.</param>
/// <param name="Title">What people call it.</param>
/// <param name="Linux">File names, the preferred first.</param>
/// <param name="Windows">File names, the preferred first.</param>
/// <param name="Advice">What to do when it is missing.</param>
internal sealed record NativeLibraryName(string Key, string Title, string[] Linux, string[] Windows, string Advice)
{
    /// <summary>Key of the driver.</summary>
    public const string DriverKey = "cuda";

    /// <summary>Key of the run-time compiler.</summary>
    public const string NvrtcKey = "nvrtc";

    /// <summary>Key of the dense products.</summary>
    public const string CublasLtKey = "cublasLt";

    /// <summary>Key of the software device's own functions.</summary>
    public const string SimulatorKey = "cudasim";

    public static NativeLibraryName Driver { get; } = new(
        DriverKey,
        "CUDA driver",
        ["libcuda.so.1", "libcuda.so"],
        ["nvcuda.dll"],
        "install NVIDIA's driver (Debian: apt install nvidia-driver); it must support CUDA 11.8 or later");

    public static NativeLibraryName Nvrtc { get; } = new(
        NvrtcKey,
        "NVRTC",
        ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"],
        ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll", "nvrtc64_112_0.dll"],
        "pip install nvidia-cuda-nvrtc-cu12, or on Debian: apt install libnvrtc12");

    public static NativeLibraryName CublasLt { get; } = new(
        CublasLtKey,
        "cuBLASLt",
        ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11", "libcublasLt.so"],
        ["cublasLt64_13.dll", "cublasLt64_12.dll", "cublasLt64_11.dll"],
        "pip install nvidia-cublas-cu12, or on Debian: apt install libcublaslt12");

    public static NativeLibraryName Simulator { get; } = new(
        SimulatorKey,
        "software CUDA device",
        ["libcudasim.so"],
        [],
        "cmake -S . -B artifacts/cmake && cmake --build artifacts/cmake, in the repository (needs g++)");

    /// <summary>The three that a GPU needs.</summary>
    public static IReadOnlyList<NativeLibraryName> Nvidia { get; } = [Driver, Nvrtc, CublasLt];

    /// <summary>File names on this system.</summary>
    public string[] FileNames => OperatingSystem.IsWindows() ? Windows : Linux;
}

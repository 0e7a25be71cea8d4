using System.Runtime.InteropServices;
using Weft.Interop.Driver;
using Weft.Interop.Libraries;

namespace Weft.Interop.Cublas;

/// <summary>The functions of cuBLASLt that Weft uses, under their own names.</summary>
internal static unsafe partial class CublasLtApi
{
    private const string Library = NativeLibraryName.CublasLtKey;

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtCreate(out nint handle);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtDestroy(nint handle);

    [LibraryImport(Library)]
    public static partial byte* cublasLtGetStatusString(CublasStatus status);

    [LibraryImport(Library)]
    public static partial nuint cublasLtGetVersion();

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatmulDescCreate(out nint descriptor, int computeType, int scaleType);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatmulDescDestroy(nint descriptor);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatmulDescSetAttribute(nint descriptor, int attribute, void* value, nuint bytes);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatrixLayoutCreate(out nint layout, int type, ulong rows, ulong columns, long leadingDimension);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatrixLayoutDestroy(nint layout);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatrixLayoutSetAttribute(nint layout, int attribute, void* value, nuint bytes);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatmulPreferenceCreate(out nint preference);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatmulPreferenceDestroy(nint preference);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatmulPreferenceSetAttribute(nint preference, int attribute, void* value, nuint bytes);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatmulAlgoGetHeuristic(
        nint handle, nint descriptor, nint a, nint b, nint c, nint d, nint preference, int requested, HeuristicResult* results, out int returned);

    [LibraryImport(Library)]
    public static partial CublasStatus cublasLtMatmul(
        nint handle,
        nint descriptor,
        void* alpha,
        nuint a,
        nint aLayout,
        nuint b,
        nint bLayout,
        void* beta,
        nuint c,
        nint cLayout,
        nuint d,
        nint dLayout,
        void* algorithm,
        nuint workspace,
        nuint workspaceBytes,
        StreamHandle stream);
}

/// <summary>cublasLtMatmulHeuristicResult_t.</summary>
[StructLayout(LayoutKind.Explicit, Size = 96)]
internal struct HeuristicResult
{
    // The algorithm, opaque, is the first 64 bytes.
    [FieldOffset(0)]
    public ulong Algorithm;

    [FieldOffset(64)]
    public nuint WorkspaceBytes;

    [FieldOffset(72)]
    public CublasStatus State;
}

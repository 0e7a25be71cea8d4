using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Interop.Cublas;

namespace Weft.Interop;

/// <summary>cublasStatus_t.</summary>
public enum CublasStatus
{
    /// <summary>No error.</summary>
    Success = 0,

    /// <summary>The library was not initialised.</summary>
    NotInitialized = 1,

    /// <summary>Out of memory on the device.</summary>
    AllocFailed = 3,

    /// <summary>An argument is out of range.</summary>
    InvalidValue = 7,

    /// <summary>The device cannot do it.</summary>
    ArchMismatch = 8,

    /// <summary>Memory could not be reached.</summary>
    MappingError = 11,

    /// <summary>The kernel failed.</summary>
    ExecutionFailed = 13,

    /// <summary>Internal error.</summary>
    InternalError = 14,

    /// <summary>No algorithm for this product.</summary>
    NotSupported = 15,
}

/// <summary>A cuBLASLt call failed.</summary>
public sealed class CublasException : InteropException
{
    private CublasException(CublasStatus status, string call, string message)
        : base(message) => (Status, Call) = (status, call);

    /// <summary>What the library returned.</summary>
    public CublasStatus Status { get; }

    /// <summary>The call as it stands in the source.</summary>
    public string Call { get; }

    /// <summary>Throws unless <paramref name="status"/> is success.</summary>
    internal static unsafe void Check(CublasStatus status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status == CublasStatus.Success)
            return;
        var text = Marshal.PtrToStringUTF8((nint)CublasLtApi.cublasLtGetStatusString(status));
        throw new CublasException(status, call, $"cuBLASLt: {text} in {call}");
    }
}

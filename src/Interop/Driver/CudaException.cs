using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>A driver call failed.</summary>
public sealed class CudaException : InteropException
{
    private CudaException(CudaResult status, string call, string message)
        : base(message) => (Status, Call) = (status, call);

    /// <summary>What the driver returned.</summary>
    public CudaResult Status { get; }

    /// <summary>The call as it stands in the source.</summary>
    public string Call { get; }

    /// <summary>The context is gone: every later call on it fails too, and only a new process or a reset device helps.</summary>
    public bool IsContextLost => Status is CudaResult.IllegalAddress or CudaResult.LaunchTimeout or CudaResult.MisalignedAddress
        or CudaResult.LaunchFailed or CudaResult.InvalidContext or CudaResult.Deinitialized
        or (>= (CudaResult)703 and <= (CudaResult)720) or CudaResult.Unknown;

    /// <summary>Throws unless <paramref name="status"/> is success.</summary>
    internal static void Check(CudaResult status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != CudaResult.Success)
            Throw(status, call);
    }

    private static unsafe void Throw(CudaResult status, string call)
    {
        byte* name = null;
        byte* text = null;
        DriverApi.cuGetErrorName(status, &name);
        DriverApi.cuGetErrorString(status, &text);
        throw new CudaException(
            status,
            call,
            $"CUDA: {Marshal.PtrToStringUTF8((nint)text) ?? "unknown error"} ({Marshal.PtrToStringUTF8((nint)name) ?? ((int)status).ToString(System.Globalization.CultureInfo.InvariantCulture)}) in {call}");
    }
}

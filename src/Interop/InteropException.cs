namespace Weft.Interop;

/// <summary>A call into a native library failed, or the library is not there.</summary>
public class InteropException : Exception
{
    /// <summary>Creates it with a message for people.</summary>
    public InteropException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}

/// <summary>CUDA cannot be used on this machine: a library is missing, the driver is too old, or there is no device.</summary>
public sealed class CudaUnavailableException(string message, Exception? inner = null) : InteropException(message, inner);

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Interop.Nvrtc;

namespace Weft.Interop;

/// <summary>nvrtcResult.</summary>
public enum NvrtcResult
{
    /// <summary>No error.</summary>
    Success = 0,

    /// <summary>Out of host memory.</summary>
    OutOfMemory = 1,

    /// <summary>The program could not be created.</summary>
    ProgramCreationFailure = 2,

    /// <summary>An input is malformed.</summary>
    InvalidInput = 3,

    /// <summary>The handle is not a program.</summary>
    InvalidProgram = 4,

    /// <summary>An option is unknown.</summary>
    InvalidOption = 5,

    /// <summary>The source has errors; the log says which.</summary>
    Compilation = 6,

    /// <summary>libnvrtc-builtins is missing or damaged.</summary>
    BuiltinOperationFailure = 7,

    /// <summary>A name expression came after compilation.</summary>
    NoNameExpressionsAfterCompilation = 8,

    /// <summary>A lowered name was asked for before compilation.</summary>
    NoLoweredNamesBeforeCompilation = 9,

    /// <summary>A name expression names nothing.</summary>
    NameExpressionNotValid = 10,

    /// <summary>Internal error.</summary>
    InternalError = 11,
}

/// <summary>A call of the run-time compiler failed.</summary>
public sealed class NvrtcException : InteropException
{
    private NvrtcException(NvrtcResult status, string call, string log, string message)
        : base(message) => (Status, Call, Log) = (status, call, log);

    /// <summary>What the compiler returned.</summary>
    public NvrtcResult Status { get; }

    /// <summary>The call as it stands in the source.</summary>
    public string Call { get; }

    /// <summary>The whole compiler log, when there is one.</summary>
    public string Log { get; }

    /// <summary>Throws unless <paramref name="status"/> is success.</summary>
    internal static unsafe void Check(NvrtcResult status, string log = "", [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status == NvrtcResult.Success)
            return;
        var text = Marshal.PtrToStringUTF8((nint)NvrtcApi.nvrtcGetErrorString(status)) ?? ((int)status).ToString(System.Globalization.CultureInfo.InvariantCulture);
        throw new NvrtcException(status, call, log, $"NVRTC: {text} in {call}{(log.Length > 0 ? Environment.NewLine + log : "")}");
    }
}

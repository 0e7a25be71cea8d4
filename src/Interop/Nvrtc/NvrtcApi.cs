using System.Runtime.InteropServices;
using Weft.Interop.Libraries;

namespace Weft.Interop.Nvrtc;

/// <summary>The functions of the run-time compiler that Weft uses, under their own names.</summary>
internal static unsafe partial class NvrtcApi
{
    private const string Library = NativeLibraryName.NvrtcKey;

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcVersion(out int major, out int minor);

    [LibraryImport(Library)]
    public static partial byte* nvrtcGetErrorString(NvrtcResult status);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial NvrtcResult nvrtcCreateProgram(out nint program, string source, string name, int headerCount, string[] headers, string[] headerNames);

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcDestroyProgram(ref nint program);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial NvrtcResult nvrtcAddNameExpression(NvrtcProgramHandle program, string expression);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial NvrtcResult nvrtcCompileProgram(NvrtcProgramHandle program, int count, string[] options);

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcGetProgramLogSize(NvrtcProgramHandle program, out nuint size);

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcGetProgramLog(NvrtcProgramHandle program, byte* log);

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcGetCUBINSize(NvrtcProgramHandle program, out nuint size);

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcGetCUBIN(NvrtcProgramHandle program, byte* image);

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcGetPTXSize(NvrtcProgramHandle program, out nuint size);

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcGetPTX(NvrtcProgramHandle program, byte* image);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial NvrtcResult nvrtcGetLoweredName(NvrtcProgramHandle program, string expression, out byte* name);

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcGetNumSupportedArchs(out int count);

    [LibraryImport(Library)]
    public static partial NvrtcResult nvrtcGetSupportedArchs(int* architectures);
}

/// <summary>nvrtcProgram.</summary>
internal sealed class NvrtcProgramHandle : SafeHandle
{
    public NvrtcProgramHandle(nint handle)
        : base(0, ownsHandle: true) => SetHandle(handle);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle() => NvrtcApi.nvrtcDestroyProgram(ref handle) == NvrtcResult.Success;
}

using System.Runtime.InteropServices;
using System.Text;
using Weft.Interop.Libraries;
using Weft.Interop.Nvrtc;

namespace Weft.Interop;

/// <summary>A header that sources include by <paramref name="Name"/>.</summary>
/// <param name="Name">As in the include directive: <c>common/types.cuh</c>.</param>
/// <param name="Text">Its content.</param>
public readonly record struct CudaHeader(string Name, string Text);

/// <summary>What a compilation gave.</summary>
/// <param name="Image">A cubin, or PTX with its zero byte when the options name a virtual architecture.</param>
/// <param name="LoweredNames">Name in the image of every name expression.</param>
/// <param name="Ptx">The PTX from which a cubin was assembled, or the image.</param>
/// <param name="Log">Warnings and what --ptxas-options=-v says.</param>
public sealed record CompiledProgram(
    ReadOnlyMemory<byte> Image, IReadOnlyDictionary<string, string> LoweredNames, ReadOnlyMemory<byte> Ptx, string Log);

/// <summary>NVRTC. Compilations may run on several threads at once.</summary>
public static unsafe class CudaRuntimeCompiler
{
    /// <summary>Version, major and minor.</summary>
    /// <exception cref="CudaUnavailableException">NVRTC is missing.</exception>
    public static (int Major, int Minor) Version()
    {
        CudaLibraries.Require(NativeLibraryName.Nvrtc);
        NvrtcException.Check(NvrtcApi.nvrtcVersion(out var major, out var minor));
        return (major, minor);
    }

    /// <summary>Compute capabilities that it compiles for, ascending: 75 is 7.5.</summary>
    public static int[] SupportedArchitectures()
    {
        CudaLibraries.Require(NativeLibraryName.Nvrtc);
        NvrtcException.Check(NvrtcApi.nvrtcGetNumSupportedArchs(out var count));
        var architectures = new int[count];
        fixed (int* pointer = architectures)
            NvrtcException.Check(NvrtcApi.nvrtcGetSupportedArchs(pointer));
        return architectures;
    }

    /// <summary>Compiles a source.</summary>
    /// <param name="source">Text.</param>
    /// <param name="name">File name in messages.</param>
    /// <param name="headers">What it may include.</param>
    /// <param name="nameExpressions">Template instances that must be in the image.</param>
    /// <param name="options">Compiler options; <c>--gpu-architecture=sm_XX</c> gives a cubin, <c>compute_XX</c> PTX.</param>
    /// <exception cref="NvrtcException">The source has errors; the message holds the whole log.</exception>
    /// <exception cref="CudaUnavailableException">NVRTC is missing.</exception>
    public static CompiledProgram Compile(
        string source, string name, IReadOnlyList<CudaHeader> headers, IReadOnlyList<string> nameExpressions, IReadOnlyList<string> options)
    {
        CudaLibraries.Require(NativeLibraryName.Nvrtc);
        NvrtcException.Check(
            NvrtcApi.nvrtcCreateProgram(
                out var handle, source, name, headers.Count, [.. headers.Select(header => header.Text)], [.. headers.Select(header => header.Name)]),
            call: $"nvrtcCreateProgram({name})");
        using var program = new NvrtcProgramHandle(handle);
        foreach (var expression in nameExpressions)
            NvrtcException.Check(NvrtcApi.nvrtcAddNameExpression(program, expression), call: $"nvrtcAddNameExpression({expression})");

        var status = NvrtcApi.nvrtcCompileProgram(program, options.Count, [.. options]);
        var log = Log(program);
        NvrtcException.Check(status, log, $"nvrtcCompileProgram({name}, {string.Join(' ', options)})");
        var isPtx = options.Any(option => option.Contains("compute_", StringComparison.Ordinal));
        var ptx = Ptx(program);
        return new(isPtx ? ptx : Cubin(program), nameExpressions.Distinct().ToDictionary(e => e, e => LoweredName(program, e)), ptx, log);
    }

    private static string LoweredName(NvrtcProgramHandle program, string expression)
    {
        NvrtcException.Check(NvrtcApi.nvrtcGetLoweredName(program, expression, out var lowered), call: $"nvrtcGetLoweredName({expression})");
        return Marshal.PtrToStringUTF8((nint)lowered)!;
    }

    private static string Log(NvrtcProgramHandle program)
    {
        if (NvrtcApi.nvrtcGetProgramLogSize(program, out var size) != NvrtcResult.Success || size <= 1)
            return "";
        var log = new byte[size];
        fixed (byte* pointer = log)
            NvrtcException.Check(NvrtcApi.nvrtcGetProgramLog(program, pointer));
        return Encoding.UTF8.GetString(log).TrimEnd('\0');
    }

    private static byte[] Cubin(NvrtcProgramHandle program)
    {
        NvrtcException.Check(NvrtcApi.nvrtcGetCUBINSize(program, out var size));
        var image = new byte[size];
        fixed (byte* pointer = image)
            NvrtcException.Check(NvrtcApi.nvrtcGetCUBIN(program, pointer));
        return image;
    }

    private static byte[] Ptx(NvrtcProgramHandle program)
    {
        NvrtcException.Check(NvrtcApi.nvrtcGetPTXSize(program, out var size));
        var image = new byte[size];
        fixed (byte* pointer = image)
            NvrtcException.Check(NvrtcApi.nvrtcGetPTX(program, pointer));
        return image;
    }
}

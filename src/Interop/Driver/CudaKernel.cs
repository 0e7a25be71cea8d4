using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>A kernel of a loaded module that takes one struct by value.</summary>
public sealed unsafe class CudaKernel
{
    // Without a request a block gets at most this much.
    private const int DefaultSharedBytes = 48 * 1024;

    private readonly nint function;
    private int sharedBytes = DefaultSharedBytes;

    internal CudaKernel(nint function, string name) => (this.function, Name) = (function, name);

    /// <summary>Name in the module.</summary>
    public string Name { get; }

    /// <summary>Registers of a thread.</summary>
    public int Registers => Attribute(FunctionAttribute.Registers);

    /// <summary>Bytes of local memory of a thread: spills and arrays that do not fit registers.</summary>
    public int LocalBytes => Attribute(FunctionAttribute.LocalSizeBytes);

    /// <summary>Size of the struct that the kernel takes, as the compiled code has it (a driver of CUDA 12.4 or later).</summary>
    public int ParameterBytes
    {
        get
        {
            CudaException.Check(DriverApi.cuFuncGetParamInfo(function, 0, out _, out var size));
            return (int)size;
        }
    }

    /// <summary>Blocks that fit a multiprocessor at once.</summary>
    public int MaxBlocksPerMultiprocessor(int blockSize, int dynamicSharedBytes)
    {
        Allow(dynamicSharedBytes);
        CudaException.Check(DriverApi.cuOccupancyMaxActiveBlocksPerMultiprocessor(out var blocks, function, blockSize, (nuint)dynamicSharedBytes));
        return blocks;
    }

    /// <summary>Submits a launch. Errors of the kernel itself appear when the stream is waited for.</summary>
    /// <typeparam name="TParameters">Twin of the kernel's struct.</typeparam>
    public void Launch<TParameters>(CudaStream stream, in LaunchShape shape, in TParameters parameters, LaunchOrder order = LaunchOrder.Sequential)
        where TParameters : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        Allow(shape.SharedBytes);
        var attribute = new LaunchAttribute { Id = LaunchAttribute.ProgrammaticStreamSerialization, Value = 1 };
        var added = false;
        try
        {
            stream.Handle.DangerousAddRef(ref added);
            var config = new LaunchConfig
            {
                GridX = (uint)shape.GridX,
                GridY = (uint)shape.GridY,
                GridZ = (uint)shape.GridZ,
                BlockX = (uint)shape.BlockX,
                BlockY = 1,
                BlockZ = 1,
                SharedBytes = (uint)shape.SharedBytes,
                Stream = stream.Handle.Value,
                Attributes = &attribute,
                AttributeCount = order == LaunchOrder.Overlapping ? 1u : 0u,
            };
            fixed (TParameters* value = &parameters)
            {
                void* argument = value;
                var status = DriverApi.cuLaunchKernelEx(&config, function, &argument, null);
                if (status != CudaResult.Success)
                    CudaException.Check(status, $"cuLaunchKernelEx({Name}, {shape})");
            }
        }
        finally
        {
            if (added)
                stream.Handle.DangerousRelease();
        }
    }

    private void Allow(int bytes)
    {
        if (bytes <= sharedBytes)
            return;
        CudaException.Check(DriverApi.cuFuncSetAttribute(function, (int)FunctionAttribute.MaxDynamicSharedSizeBytes, bytes));
        sharedBytes = bytes;
    }

    private int Attribute(FunctionAttribute attribute)
    {
        CudaException.Check(DriverApi.cuFuncGetAttribute(out var value, (int)attribute, function));
        return value;
    }
}

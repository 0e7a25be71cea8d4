using Weft.Interop;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Backends.Cuda;

/// <summary>What a program takes its weights from: a packed file; or random numbers, where only time counts.</summary>
internal interface IModelWeights
{
    /// <summary>For messages.</summary>
    string Name { get; }

    ModelDescription Model { get; }

    /// <summary>The tensor of this name.</summary>
    TensorEntry Find(string name);

    /// <summary>Starts bringing tensors to a device.</summary>
    IWeightUploader Open(CudaContext context, CudaStream stream);
}

/// <summary>Brings tensors to a device; disposing of it waits until all are there.</summary>
internal interface IWeightUploader : IDisposable
{
    /// <summary>Submits a tensor to <paramref name="offset"/> of <paramref name="target"/>, in another type if asked for.</summary>
    /// <param name="tensor">Which.</param>
    /// <param name="target">Memory that holds it.</param>
    /// <param name="offset">Its first byte there.</param>
    /// <param name="stride">Elements from a row to the next; those beyond a row become zero.</param>
    /// <param name="type">Type on the device.</param>
    void Upload(TensorEntry tensor, CudaDeviceMemory target, long offset, int stride, DataType type);

    /// <summary>Submits a part of a quantized tensor as it is.</summary>
    /// <param name="tensor">Which.</param>
    /// <param name="from">First byte in the tensor.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="target">Memory that holds it.</param>
    /// <param name="offset">Its first byte there.</param>
    void UploadBytes(TensorEntry tensor, long from, long length, CudaDeviceMemory target, long offset);
}

/// <summary>The weights of a packed file.</summary>
internal sealed class FileWeights(WeftFile file) : IModelWeights
{
    public string Name => file.Path;

    public ModelDescription Model => file.Header.Model;

    public TensorEntry Find(string name) => file.Find(name);

    public IWeightUploader Open(CudaContext context, CudaStream stream) => new WeightUploader(file, context, stream);
}

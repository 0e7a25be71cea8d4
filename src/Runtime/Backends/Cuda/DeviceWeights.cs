using Weft.Graph;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda;

/// <summary>A matrix on the device.</summary>
/// <param name="Address">First element.</param>
/// <param name="Rows">M.</param>
/// <param name="Columns">K.</param>
/// <param name="Stride">Elements from a row to the next; those beyond K are zero.</param>
internal readonly record struct DeviceMatrix(nuint Address, int Rows, int Columns, int Stride);

/// <summary>A bias in both types that products ask for; addresses are 0 when there is none.</summary>
/// <param name="Float32">For our kernels and float32 results.</param>
/// <param name="Half">For cuBLASLt with 16-bit results.</param>
internal readonly record struct DeviceBias(nuint Float32, nuint Half);

/// <summary>
/// The weights on the device, in the program's 16-bit type. Matrices that are multiplied together lie one after another as one matrix.
/// </summary>
internal sealed class DeviceWeights : IDisposable
{
    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly IModelWeights weights;
    private readonly DataType type;
    private readonly IWeightUploader uploader;
    private readonly List<CudaDeviceMemory> memory = [];
    private readonly Dictionary<string, DeviceMatrix> matrices = [];
    private readonly Dictionary<string, nuint> vectors = [];

    public DeviceWeights(CudaContext context, CudaStream stream, IModelWeights weights, DataType type)
    {
        this.context = context;
        this.stream = stream;
        this.weights = weights;
        this.type = type;
        uploader = weights.Open(context, stream);
    }

    /// <summary>Bytes taken.</summary>
    public long Bytes => memory.Sum(piece => piece.Bytes);

    /// <summary>Bytes that a graph's weights will take.</summary>
    public static long CountBytes(StepGraph graph, IModelWeights weights, DataType type)
    {
        var names = graph.Nodes.SelectMany(node => node switch
        {
            EmbeddingNode n => [n.Weight],
            FusedLinearNode n => n.Segments.Select(segment => segment.Weight),
            NormedLinearNode n => n.Linear.Segments.Select(segment => segment.Weight),
            _ => (IEnumerable<string>)[],
        });
        return names.Distinct().Select(weights.Find).Sum(tensor => (long)tensor.Shape[0] * ValueLayout.Stride(tensor.Shape[1]) * type.Size());
    }

    /// <summary>The rows of all of <paramref name="names"/> as one matrix.</summary>
    public DeviceMatrix Matrix(params IReadOnlyList<string> names)
    {
        var key = string.Join('|', names);
        if (matrices.TryGetValue(key, out var known))
            return known;
        var tensors = names.Select(weights.Find).ToList();
        var columns = tensors[0].Shape[1];
        var stride = ValueLayout.Stride(columns);
        var rows = tensors.Sum(tensor => tensor.Shape[0]);
        var target = Allocate((long)rows * stride * type.Size());
        var row = 0L;
        foreach (var tensor in tensors)
        {
            uploader.Upload(tensor, target, row * stride * type.Size(), stride, type);
            row += tensor.Shape[0];
        }

        return matrices[key] = new(target.Address, rows, columns, stride);
    }

    /// <summary>A vector in float32.</summary>
    public nuint Vector(string name)
    {
        if (vectors.TryGetValue(name, out var known))
            return known;
        var tensor = weights.Find(name);
        var target = Allocate(tensor.Length);
        uploader.Upload(tensor, target, 0, tensor.Shape[0], DataType.Float32);
        return vectors[name] = target.Address;
    }

    /// <summary>The biases of a fused product's segments as one vector; a segment without one has zeros.</summary>
    public DeviceBias Bias(IReadOnlyList<LinearSegment> segments)
    {
        if (segments.All(segment => segment.Bias is null))
            return default;
        return new(Joint(segments, DataType.Float32), Joint(segments, type));
    }

    /// <summary>Waits until everything is on the device and frees the buffers.</summary>
    public void Finish() => uploader.Dispose();

    public void Dispose()
    {
        uploader.Dispose();
        foreach (var piece in memory)
            piece.Dispose();
    }

    private nuint Joint(IReadOnlyList<LinearSegment> segments, DataType target)
    {
        var key = string.Join('|', segments.Select(segment => segment.Bias)) + ':' + target;
        if (vectors.TryGetValue(key, out var known))
            return known;
        var memory = Allocate((long)segments.Sum(segment => segment.Rows) * target.Size());
        memory.FillAsync(0, stream);
        var offset = 0L;
        foreach (var segment in segments)
        {
            if (segment.Bias is { } bias)
                uploader.Upload(weights.Find(bias), memory, offset, segment.Rows, target);
            offset += (long)segment.Rows * target.Size();
        }

        return vectors[key] = memory.Address;
    }

    private CudaDeviceMemory Allocate(long bytes)
    {
        var piece = CudaDeviceMemory.Allocate(context, bytes);
        memory.Add(piece);
        return piece;
    }
}

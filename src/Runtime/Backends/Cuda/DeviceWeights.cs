using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Interop;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Backends.Cuda;

/// <summary>A matrix on the device.</summary>
/// <param name="Address">First element.</param>
/// <param name="Rows">M.</param>
/// <param name="Columns">K.</param>
/// <param name="Stride">Elements from a row to the next; those beyond K are zero.</param>
internal readonly record struct DeviceMatrix(nuint Address, int Rows, int Columns, int Stride);

/// <summary>A quantized matrix on the device.</summary>
/// <param name="Weight">Its parts.</param>
/// <param name="Rows">M.</param>
/// <param name="Columns">K.</param>
/// <param name="Codes">What they are.</param>
internal readonly record struct DeviceQuantizedMatrix(QuantizedWeight Weight, int Rows, int Columns, CodeMeaning Codes)
{
    /// <summary>Tiles above one another.</summary>
    public int RowBlocks => (Rows + QuantizedLayout.TileRows - 1) / QuantizedLayout.TileRows;
}

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
            EmbeddingNode n => n.Positions is { } positions ? [n.Weight, positions] : [n.Weight],
            VirtualRowsNode n => [n.Table],
            VirtualKeysNode n => [n.Table],
            AddPositionsNode n => [n.Positions],
            FusedLinearNode n => n.Segments.Select(segment => segment.Weight),
            NormedLinearNode n => n.Linear.Segments.Select(segment => segment.Weight),
            HeadLinearNode n => [n.Weight],
            ExpertsNode n => n.Inner.Append(n.Outer).Select(segment => segment.Weight),
            _ => (IEnumerable<string>)[],
        });
        return names.Distinct().Select(weights.Find).Sum(tensor =>
            tensor.Quantization is null ? (long)tensor.Rows * ValueLayout.Stride(tensor.Shape[^1]) * type.Size() : tensor.Tiles.Length);
    }

    /// <summary>Bytes that the parts of a <see cref="Operations.ProductWorkspace"/> take at most.</summary>
    /// <param name="graph">The model's products.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="type">Of activations.</param>
    /// <param name="mostRows">Largest N.</param>
    /// <param name="multiprocessors">Of the device.</param>
    /// <param name="isBatchInvariant"><see cref="CudaOptions.BatchInvariant"/>.</param>
    public static (long Numbers, long Input, long Counters) CountWorkspace(
        StepGraph graph, IModelWeights weights, DataType type, int mostRows, int multiprocessors, bool isBatchInvariant)
    {
        var (numbers, input, counters) = (0L, 0L, 0L);
        foreach (var node in graph.Nodes)
        {
            if ((node as FusedLinearNode ?? (node as NormedLinearNode)?.Linear) is not { } linear)
                continue;
            var tensors = linear.Segments.Select(segment => weights.Find(segment.Weight)).ToList();
            var width = tensors.Sum(tensor => tensor.Shape[0]);
            var inner = tensors[0].Shape[1];
            var gated = linear.Gate is not null;
            var row = (long)ValueLayout.Stride(inner) * type.Size();
            if (tensors[0] is { Quantization: not null } quantizedTensor)
            {
                numbers = Math.Max(numbers, Math.Max(
                    isBatchInvariant ? 0 : width * row,
                    tensors.Append(null).Max(tensor => QuantizedGemmKernel.MostPartialBytes(tensor?.Shape[0] ?? width, inner, quantizedTensor.Tiles.Bits, gated && tensor is null, multiprocessors))));
                input = Math.Max(input, mostRows * row);
                counters = Math.Max(counters, (long)sizeof(int) * QuantizedGemmKernel.Counters(width));
            }
            else if (isBatchInvariant)
            {
                numbers = Math.Max(numbers, GemmKernel.MostPartialBytes(mostRows, width, gated, multiprocessors));
                if (node is NormedLinearNode && GemvKernel.Parts(type, GemvInput.RmsInput) == 2)
                    input = Math.Max(input, mostRows * row);
                counters = Math.Max(counters, (long)sizeof(int) * GemmKernel.Counters(width));
            }
        }

        return (numbers, input, counters);
    }

    /// <summary>The rows of all of <paramref name="names"/> as one matrix.</summary>
    public DeviceMatrix Matrix(params IReadOnlyList<string> names)
    {
        var key = string.Join('|', names);
        if (matrices.TryGetValue(key, out var known))
            return known;
        var tensors = names.Select(weights.Find).ToList();
        var columns = tensors[0].Shape[^1];
        var stride = ValueLayout.Stride(columns);
        var rows = tensors.Sum(tensor => tensor.Rows);
        var target = Allocate((long)rows * stride * type.Size());
        var row = 0L;
        foreach (var tensor in tensors)
        {
            uploader.Upload(tensor, target, row * stride * type.Size(), stride, type);
            row += tensor.Rows;
        }

        return matrices[key] = new(target.Address, rows, columns, stride);
    }

    /// <summary>Type of a tensor in the file.</summary>
    public DataType TypeOf(string name) => weights.Find(name).DataType;

    /// <summary>Whether two matrices can be multiplied together: numbers, which have one type here, or codes of one type.</summary>
    public static bool AreAlike(TensorEntry a, TensorEntry b) => a.DataType == b.DataType || (!a.DataType.IsQuantized() && !b.DataType.IsQuantized());

    /// <summary>Requires that the first of matrices can be multiplied together with all of them.</summary>
    /// <exception cref="WeftException">It cannot.</exception>
    public void RequireAlike(IReadOnlyList<string> names)
    {
        var first = weights.Find(names[0]);
        if (names.Select(weights.Find).FirstOrDefault(other => !AreAlike(first, other)) is { } unlike)
            throw new WeftException($"{weights.Name}: '{first.Name}' is {first.DataType.Name()} and '{unlike.Name}' {unlike.DataType.Name()}, which experts cannot be together; convert with --quant to make them alike");
    }

    /// <summary>Quantized matrices: all of <paramref name="names"/> as one where their tiles can lie above one another, else each on its own.</summary>
    public IReadOnlyList<DeviceQuantizedMatrix> Quantized(IReadOnlyList<string> names)
    {
        var tensors = names.Select(weights.Find).ToList();
        var first = tensors[0];
        var isOne = tensors.TrueForAll(tensor => tensor.DataType == first.DataType && !tensor.Quantization!.Permuted
            && tensor.Quantization.GroupSize == first.Quantization!.GroupSize && tensor.Quantization.Fractional == first.Quantization.Fractional && tensor.Shape[0] % QuantizedLayout.TileRows == 0);
        return isOne ? [Quantized(tensors)] : [.. tensors.Select(tensor => Quantized([tensor]))];
    }

    private DeviceQuantizedMatrix Quantized(List<TensorEntry> tensors)
    {
        var layouts = tensors.ConvertAll(tensor => tensor.Tiles);
        var layout = layouts[0];
        var zeroPointBytes = layouts.Max(one => one.ZeroPointBytes);
        var groupRows = (long)layout.Groups * QuantizedLayout.TileRows;
        var blocks = layouts.Sum(one => one.RowBlocks);
        var codes = Allocate((long)blocks * layout.ColumnTiles * QuantizedLayout.TileBytes);
        var scales = Allocate(blocks * groupRows * layout.ScaleBytes);
        var zeroPoints = zeroPointBytes > 0 ? Allocate(blocks * groupRows * zeroPointBytes) : null;
        if (zeroPointBytes == 1)
            zeroPoints!.FillAsync((byte)layout.MiddleCode, stream);
        var order = layout.Quantization.Permuted ? Allocate((long)layout.Columns * sizeof(int)) : null;
        var block = 0L;
        foreach (var (tensor, own) in tensors.Zip(layouts))
        {
            uploader.UploadBytes(tensor, 0, (long)own.RowBlocks * own.ColumnTiles * QuantizedLayout.TileBytes, codes, block * own.ColumnTiles * QuantizedLayout.TileBytes);
            uploader.UploadBytes(tensor, own.Scales, own.RowBlocks * groupRows * own.ScaleBytes, scales, block * groupRows * own.ScaleBytes);
            if (own.Quantization.ZeroPoints)
                uploader.UploadBytes(tensor, own.ZeroPoints, own.RowBlocks * groupRows * zeroPointBytes, zeroPoints!, block * groupRows * zeroPointBytes);
            if (order is not null)
                uploader.UploadBytes(tensor, own.Order, (long)own.Columns * sizeof(int), order, 0);
            block += own.RowBlocks;
        }

        return new(
            new QuantizedWeight
            {
                Codes = codes.Address,
                Scales = scales.Address,
                ZeroPoints = zeroPoints?.Address ?? 0,
                Order = order?.Address ?? 0,
                Tiles = layout.ColumnTiles,
                Groups = layout.Groups,
                GroupSize = layout.Quantization.GroupSize,
            },
            layouts.Sum(one => one.Rows),
            layout.Columns,
            new(tensors[0].DataType, layout.Quantization.Fractional));
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

    /// <summary>Numbers of the model's description, in float32.</summary>
    public nuint Constants(IReadOnlyList<float> values)
    {
        var target = Allocate(values.Count * sizeof(float));
        target.CopyFrom<float>(values.ToArray());
        return target.Address;
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

using Weft.Backends.Cuda;
using Weft.Interop;
using Weft.Models;
using Weft.Profile.Workloads;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Profile.Gpu;

/// <summary>
/// Weights for timing: norms of one, matrices of random numbers with the spread of trained ones, copied about on the device; those of the layers in bf16 or in codes of
/// 4 bits.
/// </summary>
internal sealed class RandomWeights(string name, ModelDescription model, bool isQuantized) : IModelWeights
{
    private readonly Dictionary<string, TensorEntry> entries = TensorSchema.Of(model).ToDictionary(
        tensor => tensor.Name,
        tensor =>
        {
            if (isQuantized && !tensor.IsVector && tensor.Name.StartsWith(TensorSchema.Layer(0)[..^2], StringComparison.Ordinal))
            {
                var quantization = new Quantization { GroupSize = WorkloadCatalog.GroupSize };
                var layout = new QuantizedLayout(tensor.Shape[0], tensor.Shape[1], DataType.Int4, quantization);
                return new TensorEntry(tensor.Name, DataType.Int4, TensorLayout.Tiles, tensor.Shape, 0, layout.Length, 0, quantization);
            }

            var type = tensor.IsVector ? DataType.Float32 : DataType.BFloat16;
            return new TensorEntry(tensor.Name, type, TensorLayout.RowMajor, tensor.Shape, 0, Elements(tensor.Shape) * type.Size(), 0);
        });

    public string Name => name;

    public ModelDescription Model => model;

    public TensorEntry Find(string name) => entries[name];

    public IWeightUploader Open(CudaContext context, CudaStream stream) => new Uploader(context, stream);

    private static long Elements(IReadOnlyList<int> shape) => shape.Aggregate(1L, (count, size) => count * size);

    private sealed class Uploader(CudaContext context, CudaStream stream) : IWeightUploader
    {
        private const int PoolElements = 8 << 20;
        private const float Spread = 0.02f;
        private readonly Dictionary<DataType, CudaDeviceMemory> pools = [];

        public void Upload(TensorEntry tensor, CudaDeviceMemory target, long offset, int stride, DataType type)
        {
            if (stride != tensor.Shape[^1])
                throw new NotSupportedException($"{tensor.Name}: rows of {tensor.Shape[^1]} elements need padding, which random weights have not");
            Fill(Pool(type), target, offset, Elements(tensor.Shape) * type.Size());
        }

        /// <summary>Codes are any bytes, scales any small numbers.</summary>
        public void UploadBytes(TensorEntry tensor, long from, long length, CudaDeviceMemory target, long offset) =>
            Fill(Pool(from == 0 ? DataType.BFloat16 : DataType.Float16), target, offset, length);

        public void Dispose()
        {
            stream.Synchronize();
            foreach (var pool in pools.Values)
                pool.Dispose();
            pools.Clear();
        }

        private void Fill(CudaDeviceMemory pool, CudaDeviceMemory target, long offset, long bytes)
        {
            for (var done = 0L; done < bytes; done += pool.Bytes)
                target.CopyFromAsync(pool, 0, offset + done, Math.Min(pool.Bytes, bytes - done), stream);
        }

        private CudaDeviceMemory Pool(DataType type)
        {
            if (pools.TryGetValue(type, out var known))
                return known;
            var pool = pools[type] = CudaDeviceMemory.Allocate(context, (long)PoolElements * type.Size());
            var random = new Random(1);
            if (type == DataType.Float32)
                pool.CopyFrom<float>([.. Enumerable.Repeat(1f, PoolElements)]);
            else
                pool.CopyFrom<ushort>([.. Enumerable.Range(0, PoolElements).Select(_ => Encode(Spread * Normal(random), type))]);
            return pool;
        }

        private static ushort Encode(float value, DataType type) => type == DataType.Float16
            ? BitConverter.HalfToUInt16Bits((Half)value)
            : (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);

        // Near enough to a normal distribution, and cheap.
        private static float Normal(Random random) => (random.NextSingle() + random.NextSingle() + random.NextSingle() - 1.5f) * 2;
    }
}

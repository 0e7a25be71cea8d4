using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Backends.Cuda;

/// <summary>
/// Streams tensors of a packed file to the device through two pinned buffers: all processors fill one, converting element types on the way,
/// while the other is copied. One alone reads memory more slowly than a bus of today takes it.
/// </summary>
internal sealed class WeightUploader : IWeightUploader
{
    private const int BufferBytes = 32 << 20;
    private const int PartBytes = 1 << 20; // what one processor fills at a time

    private readonly WeftFile file;
    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly (CudaPinnedMemory Memory, CudaEvent Copied)[] buffers = new (CudaPinnedMemory, CudaEvent)[2];
    private int next;
    private bool disposed;

    public WeightUploader(WeftFile file, CudaContext context, CudaStream stream)
    {
        this.file = file;
        this.context = context;
        this.stream = stream;
    }

    /// <inheritdoc/>
    /// <exception cref="WeftException">A weight is too large for f16.</exception>
    public void Upload(TensorEntry tensor, CudaDeviceMemory target, long offset, int stride, DataType type)
    {
        var columns = tensor.Shape[^1];
        var rows = tensor.Rows;
        var sourceRow = columns * tensor.DataType.Size();
        var targetRow = stride * type.Size();
        // A vector longer than the buffer would need pieces of a row; no model has one.
        var rowsAtOnce = Math.Max(1, Math.Min(BufferBytes / Math.Max(targetRow, sourceRow), rows));
        for (var row = 0; row < rows; row += rowsAtOnce)
        {
            var count = Math.Min(rowsAtOnce, rows - row);
            var (pinned, copied) = Buffer();
            var (first, rowsEach) = (row, Math.Max(1, PartBytes / targetRow));
            var parts = (count + rowsEach - 1) / rowsEach;
            try
            {
                Parallel.For(0, parts, Fill);
            }
            catch (AggregateException failures)
            {
                ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
            }

            target.CopyFromAsync(pinned.Address, offset + ((long)row * targetRow), (long)count * targetRow, stream);
            copied.Record(stream);

            void Fill(int part)
            {
                var start = part * rowsEach;
                var rowsNow = Math.Min(rowsEach, count - start);
                var source = file.Bytes(tensor, (first + start) * (long)sourceRow, rowsNow * sourceRow);
                var destination = pinned.AsSpan<byte>((long)start * targetRow, rowsNow * targetRow);
                if (tensor.DataType == type && sourceRow == targetRow)
                    source.CopyTo(destination);
                else
                    Convert(tensor, source, destination, rowsNow, columns, stride, type);
            }
        }
    }

    /// <inheritdoc/>
    public void UploadBytes(TensorEntry tensor, long from, long length, CudaDeviceMemory target, long offset)
    {
        for (var done = 0L; done < length; done += BufferBytes)
        {
            var count = (int)Math.Min(BufferBytes, length - done);
            var (pinned, copied) = Buffer();
            var first = from + done;
            Parallel.For(0, (count + PartBytes - 1) / PartBytes, part =>
            {
                var start = part * PartBytes;
                var bytes = Math.Min(PartBytes, count - start);
                file.Bytes(tensor, first + start, bytes).CopyTo(pinned.AsSpan<byte>(start, bytes));
            });
            target.CopyFromAsync(pinned.Address, offset + done, count, stream);
            copied.Record(stream);
        }
    }

    /// <summary>Waits for the copies and frees the buffers.</summary>
    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        foreach (var (memory, copied) in buffers.Where(buffer => buffer.Memory is not null))
        {
            copied.Synchronize();
            copied.Dispose();
            memory.Dispose();
        }
    }

    private void Convert(
        TensorEntry tensor, ReadOnlySpan<byte> source, Span<byte> destination, int rows, int columns, int stride, DataType type)
    {
        var values = new float[columns];
        var sourceRow = columns * tensor.DataType.Size();
        var targetRow = stride * type.Size();
        for (var row = 0; row < rows; row++)
        {
            Widen(source.Slice(row * sourceRow, sourceRow), tensor.DataType, values);
            var target = destination.Slice(row * targetRow, targetRow);
            target.Clear();
            switch (type)
            {
                case DataType.Float32:
                    MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(target);
                    break;
                case DataType.Float16:
                    if (TensorPrimitives.MaxMagnitude<float>(values) > (float)Half.MaxValue)
                    {
                        throw new WeftException(
                            $"{file.Path}: tensor '{tensor.Name}' has a weight beyond what f16 can hold; run it in bf16");
                    }

                    TensorPrimitives.ConvertToHalf(values, MemoryMarshal.Cast<byte, Half>(target)[..columns]);
                    break;
                default:
                    NarrowToBFloat16(values, MemoryMarshal.Cast<byte, ushort>(target));
                    break;
            }
        }
    }

    private static void Widen(ReadOnlySpan<byte> source, DataType type, Span<float> values)
    {
        switch (type)
        {
            case DataType.Float32:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(values);
                break;
            case DataType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), values);
                break;
            default:
                var halves = MemoryMarshal.Cast<byte, ushort>(source);
                for (var i = 0; i < halves.Length; i++)
                    values[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                break;
        }
    }

    /// <summary>To nearest, ties to even; NaN stays NaN.</summary>
    private static void NarrowToBFloat16(ReadOnlySpan<float> values, Span<ushort> target)
    {
        for (var i = 0; i < values.Length; i++)
        {
            var bits = BitConverter.SingleToUInt32Bits(values[i]);
            target[i] = float.IsNaN(values[i]) ? (ushort)0x7FFF : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
    }

    /// <summary>The other buffer, once its last copy is done.</summary>
    private (CudaPinnedMemory Memory, CudaEvent Copied) Buffer()
    {
        ref var buffer = ref buffers[next];
        next = 1 - next;
        if (buffer.Memory is null)
            buffer = (CudaPinnedMemory.Allocate(context, BufferBytes), CudaEvent.Create(context));
        else
            buffer.Copied.Synchronize();
        return buffer;
    }
}

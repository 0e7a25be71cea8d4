using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Weft.Convert.Checkpoints;
using Weft.Tensors;

namespace Weft.Convert;

/// <summary>Reads tensors piece by piece, checks that they hold numbers and converts them; memory does not grow with their size.</summary>
internal sealed class TensorReader : IDisposable
{
    // Large enough that calls cost nothing, small enough that a piece is still in the cache when it is converted and checksummed.
    private const int PieceElements = 1 << 19;

    private readonly byte[] source = new byte[PieceElements * sizeof(double)];
    private readonly float[] singles = new float[PieceElements];
    private readonly byte[] target = new byte[PieceElements * sizeof(float)];
    private SourceReader? file;
    private StridedView? strided;

    /// <summary>The pieces of a tensor in its target type, and how many bytes of the checkpoint each stands for. A piece is valid until the next.</summary>
    /// <exception cref="WeftException">The file is damaged, or a number is NaN, infinite or too large for the target type.</exception>
    public IEnumerable<(ReadOnlyMemory<byte> Bytes, long SourceBytes)> Read(PlannedTensor tensor)
    {
        if (tensor.Source.Transform is { } transform)
        {
            var values = transform(ReadSingles(tensor.Source));
            var made = FromSingles(tensor.DataType, values);
            if (Elements.IndexOfNonFinite(Stored(tensor.DataType), made) >= 0)
                throw new WeftException($"{(tensor.Source.Pieces is [var first, ..] ? $"{first.File}: tensor '{first.Name}'" : $"'{tensor.Name}', which is computed,")} holds a number that is too large for {tensor.DataType.Name()}");
            yield return (made, tensor.Source.ByteLength);
            yield break;
        }

        foreach (var stored in tensor.Source.Pieces)
        {
            for (var first = 0L; first < stored.Count; first += PieceElements)
            {
                var bytes = ReadPiece(stored, first);
                var sourceBytes = stored.Coded?.BytesOf(bytes.Length / sizeof(float)) ?? bytes.Length;
                yield return (Convert(tensor.DataType, stored, first, bytes), sourceBytes);
            }
        }
    }

    private Memory<byte> ReadPiece(StoredTensor stored, long first)
    {
        var bytes = source.AsMemory(0, (int)Math.Min(PieceElements, stored.Count - first) * stored.Type.Size());
        Fill(stored, first, bytes.Span);
        var bad = Elements.IndexOfNonFinite(stored.Type, bytes.Span);
        return bad < 0 ? bytes : throw new WeftException($"{stored.File}: tensor '{stored.Name}' holds NaN or infinity at {Index(stored, first + bad)}");
    }

    private float[] ReadSingles(TensorSource all)
    {
        var values = new float[all.Count];
        var done = 0L;
        foreach (var stored in all.Pieces)
        {
            for (var first = 0L; first < stored.Count; first += PieceElements)
            {
                var bytes = ReadPiece(stored, first);
                var count = bytes.Length / stored.Type.Size();
                Widen(stored, first, bytes.Span, values.AsSpan((int)done, count));
                done += count;
            }
        }

        return values;
    }

    private static void Widen(StoredTensor stored, long first, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        Elements.ToSingle(stored.Type, bytes, values);
        stored.Scales?.Apply(stored, first, values);
    }

    private static byte[] FromSingles(DataType type, float[] values)
    {
        var bytes = new byte[values.Length * type.Size()];
        Elements.FromSingle(type, values, bytes);
        return bytes;
    }

    public void Dispose()
    {
        file?.Dispose();
        strided?.Dispose();
    }

    private ReadOnlyMemory<byte> Convert(DataType type, StoredTensor stored, long first, ReadOnlyMemory<byte> bytes)
    {
        if (Same(stored.Type, type))
            return bytes;
        var count = bytes.Length / stored.Type.Size();
        var values = singles.AsSpan(0, count);
        Widen(stored, first, bytes.Span, values);
        var converted = target.AsMemory(0, count * type.Size());
        Elements.FromSingle(type, values, converted.Span);
        var bad = Elements.IndexOfNonFinite(Stored(type), converted.Span);
        if (bad >= 0)
            throw new WeftException($"{stored.File}: tensor '{stored.Name}' holds a number at {Index(stored, first + bad)} that is too large for {type.Name()}");
        return converted;
    }

    private void Fill(StoredTensor tensor, long first, Span<byte> bytes)
    {
        if (file?.Path != tensor.File)
        {
            file?.Dispose();
            file = SourceReader.Open(tensor.File);
        }

        if (tensor.Coded is { } coded)
            Decode(tensor, coded, first, MemoryMarshal.Cast<byte, float>(bytes));
        else if (tensor.IsContiguous)
            file.Read(bytes, tensor.Offset + (first * tensor.Type.Size()));
        else
            Gather(tensor, first, bytes);
    }

    private void Decode(StoredTensor tensor, CodedNumbers coded, long first, Span<float> values)
    {
        var start = tensor.Offset / sizeof(float);
        if (tensor.IsContiguous)
        {
            coded.Read(file!, start + first, values);
            return;
        }

        for (var i = 0; i < values.Length;)
        {
            var (element, step, count) = Run(tensor, first + i, values.Length - i);
            if (step == 1)
                coded.Read(file!, start + element, values.Slice(i, count));
            for (var j = 0; j < count && step != 1; j++)
                coded.Read(file!, start + element + (j * step), values.Slice(i + j, 1));
            i += count;
        }
    }

    /// <summary>What is left of a row of the innermost dimension: where it lies from the first element on, how far neighbours are apart, and how many there are.</summary>
    private static (long Element, long Step, int Count) Run(StoredTensor tensor, long index, int most)
    {
        var run = tensor.Shape[^1];
        var left = (int)Math.Min(run - (index % run), most);
        var element = 0L;
        for (var d = tensor.Shape.Count - 1; d >= 0; d--)
        {
            element += index % tensor.Shape[d] * tensor.Strides[d];
            index /= tensor.Shape[d];
        }

        return (element, tensor.Strides[^1], left);
    }

    /// <summary>Collects a stretch of a tensor whose elements are not in row-major order; its file is mapped, because reads would be tiny.</summary>
    private unsafe void Gather(StoredTensor tensor, long first, Span<byte> bytes)
    {
        if (strided?.Tensor != tensor)
        {
            strided?.Dispose();
            strided = new StridedView(tensor);
        }

        var size = tensor.Type.Size();
        var count = bytes.Length / size;
        for (var i = 0; i < count;)
        {
            var (element, step, left) = Run(tensor, first + i, count - i);
            var target = bytes[(i * size)..];
            if (step == 1)
                new ReadOnlySpan<byte>(strided.Start + (element * size), left * size).CopyTo(target);
            for (var j = 0; j < left && step != 1; j++)
                new ReadOnlySpan<byte>(strided.Start + ((element + (j * step)) * size), size).CopyTo(target[(j * size)..]);
            i += left;
        }
    }

    private static string Index(StoredTensor tensor, long element)
    {
        var index = new long[tensor.Shape.Count];
        for (var d = index.Length - 1; d >= 0; d--)
        {
            index[d] = element % tensor.Shape[d];
            element /= tensor.Shape[d];
        }

        return $"[{string.Join(", ", index)}]";
    }

    private static bool Same(StoredType stored, DataType type) => stored == Stored(type);

    private static StoredType Stored(DataType type) => type switch
    {
        DataType.Float16 => StoredType.Float16,
        DataType.BFloat16 => StoredType.BFloat16,
        _ => StoredType.Float32,
    };

    /// <summary>The part of a file that a strided tensor lies in, mapped.</summary>
    private sealed unsafe class StridedView : IDisposable
    {
        private readonly MemoryMappedFile map;
        private readonly MemoryMappedViewAccessor view;

        public StridedView(StoredTensor tensor)
        {
            Tensor = tensor;
            var elements = 1 + tensor.Shape.Zip(tensor.Strides, (length, stride) => (length - 1) * stride).Sum();
            map = MemoryMappedFile.CreateFromFile(tensor.File, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            view = map.CreateViewAccessor(tensor.Offset, elements * tensor.Type.Size(), MemoryMappedFileAccess.Read);
            byte* start = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            Start = start + view.PointerOffset;
        }

        public StoredTensor Tensor { get; }

        public byte* Start { get; }

        public void Dispose()
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            map.Dispose();
        }
    }
}

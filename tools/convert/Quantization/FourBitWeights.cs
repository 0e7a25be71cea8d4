using System.Text.Json;
using Weft.Convert.Checkpoints;

namespace Weft.Convert.Quantization;

/// <summary>
/// bitsandbytes' matrices of four bits, NF4 and FP4 (QLoRA, Dettmers et al. 2023, arXiv 2305.14314). A code is an index into a map of 16 numbers that is stored
/// beside it, and neighbours share a factor, which may be a code of eight bits itself. What belongs to a matrix is said in a tensor that holds JSON. They become
/// numbers while they are read: from there on the checkpoint is like any other.
/// </summary>
internal static class FourBitWeights
{
    private const string State = ".quant_state.bitsandbytes__";
    private const string Map = ".quant_map";
    private const string Absmax = ".absmax";
    private const string NestedAbsmax = ".nested_absmax";
    private const string NestedMap = ".nested_quant_map";

    // What belongs to a matrix beside its codes and its state.
    private static readonly string[] Parts = [Map, Absmax, NestedAbsmax, NestedMap];

    /// <summary>The same checkpoint, where each such matrix has its own shape and is made of its codes.</summary>
    /// <exception cref="WeftException">Something that belongs to one is missing or contradicts the rest.</exception>
    public static Checkpoint Attach(Checkpoint checkpoint)
    {
        var states = checkpoint.Tensors.Values.Where(tensor => tensor.Name.Contains(State, StringComparison.Ordinal)).ToList();
        if (states.Count == 0)
            return checkpoint;
        var tensors = new Dictionary<string, StoredTensor>(checkpoint.Tensors);
        var read = new LastFactors();
        foreach (var state in states)
        {
            var name = state.Name[..state.Name.IndexOf(State, StringComparison.Ordinal)];
            tensors[name] = Matrix(state, name, last => checkpoint.Tensors.GetValueOrDefault(name + last), read);
            tensors.Remove(state.Name);
            foreach (var part in Parts)
                tensors.Remove(name + part);
        }

        return checkpoint with { Tensors = tensors };
    }

    private static StoredTensor Matrix(StoredTensor state, string name, Func<string, StoredTensor?> find, LastFactors read)
    {
        var codes = Required("");
        var (blockSize, shape, nested) = Describe(state);
        var count = shape.Aggregate(1L, (product, size) => product * size);
        if (codes.Type != StoredType.UInt8 || !codes.IsContiguous || codes.Count * 2 != count || count % blockSize != 0)
        {
            throw new WeftException(
                $"{codes.File}: tensor '{name}' has the shape [{string.Join(", ", codes.Shape)}], which is not two codes a byte of [{string.Join(", ", shape)}] weights in blocks of {blockSize}");
        }

        var blocks = checked((int)(count / blockSize));
        var map = Numbers(Required(Map), 16);
        var absmax = Required(Absmax);
        var (scales, factorMap) = nested is null ? default : (Required(NestedAbsmax), Required(NestedMap));
        return new(name, StoredType.Float32, shape, StoredTensor.RowMajorStrides(shape), codes.File, 0) { Coded = new Codes(codes.Offset, blockSize, map, Factors, read) };

        StoredTensor Required(string last) =>
            find(last) ?? throw new WeftException($"{state.File}: '{name}' is quantized to four bits, but its tensor '{name}{last}' is missing");

        float[] Factors()
        {
            if (nested is not var (size, offset))
                return Numbers(absmax, blocks);
            // Factors of so many blocks share a factor of their own; their mean was taken away before.
            if (absmax.Type != StoredType.UInt8 || absmax.Count != blocks)
                throw new WeftException($"{absmax.File}: tensor '{absmax.Name}' holds {absmax.Type} of the shape [{string.Join(", ", absmax.Shape)}], but {blocks} of UInt8 are expected");
            var (own, numbers) = (Numbers(scales, (blocks + size - 1) / size), Numbers(factorMap, 256));
            using var file = SourceReader.Open(absmax.File);
            return [.. file.Read(absmax.Offset, blocks).Select((index, block) => (numbers[index] * own[block / size]) + offset)];
        }
    }

    /// <summary>What the tensor that describes a matrix says: weights that share a factor, [M, K], and how many factors share one and what was taken from them.</summary>
    private static (int BlockSize, long[] Shape, (int Size, float Offset)? Nested) Describe(StoredTensor state)
    {
        try
        {
            using var file = SourceReader.Open(state.File);
            using var document = JsonDocument.Parse(file.Read(state.Offset, checked((int)state.ByteLength)));
            var root = document.RootElement;
            long[] shape = [.. root.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];
            var blockSize = root.GetProperty("blocksize").GetInt32();
            var nested = root.TryGetProperty("nested_blocksize", out var size) ? ((int, float)?)(size.GetInt32(), root.GetProperty("nested_offset").GetSingle()) : null;
            return blockSize > 0 && blockSize % 2 == 0 && nested is null or (> 0, _) && shape.All(length => length is > 0 and <= int.MaxValue)
                ? (blockSize, shape, nested)
                : throw new FormatException("a size is not positive, or a block of an odd number of codes");
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new WeftException($"{state.File}: tensor '{state.Name}' does not describe a matrix of four bits ({exception.Message.TrimEnd('.')})", exception);
        }
    }

    private static float[] Numbers(StoredTensor tensor, int count)
    {
        if (tensor.Type != StoredType.Float32 || tensor.Count != count)
            throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' holds {tensor.Type} of the shape [{string.Join(", ", tensor.Shape)}], but {count} of Float32 are expected");
        using var file = SourceReader.Open(tensor.File);
        var bytes = file.Read(tensor.Offset, checked((int)tensor.ByteLength));
        var bad = Elements.IndexOfNonFinite(tensor.Type, bytes);
        if (bad >= 0)
            throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' holds NaN or infinity at element {bad}");
        var numbers = new float[count];
        Elements.ToSingle(tensor.Type, bytes, numbers);
        return numbers;
    }

    /// <summary>The factors of the matrix that was read last: matrices are read one after the other, and all factors would take a sixteenth of the numbers' memory.</summary>
    private sealed class LastFactors
    {
        private (Codes? Owner, float[] Factors) last = (null, []);

        public float[] Of(Codes owner, Func<float[]> factors)
        {
            if (last.Owner != owner)
                last = (owner, factors());
            return last.Factors;
        }
    }

    /// <summary>The first of two neighbours is in the upper half of a byte.</summary>
    private sealed class Codes(long offset, int blockSize, float[] map, Func<float[]> factors, LastFactors read) : CodedNumbers(offset, blockSize, blockSize / 2)
    {
        protected override void Decode(long block, ReadOnlySpan<byte> codes, Span<float> values)
        {
            var scales = read.Of(this, factors);
            for (var i = 0; i < codes.Length; i++)
            {
                var scale = scales[block + (i / BlockBytes)];
                values[2 * i] = map[codes[i] >> 4] * scale;
                values[(2 * i) + 1] = map[codes[i] & 15] * scale;
            }
        }
    }
}

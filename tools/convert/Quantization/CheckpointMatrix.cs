using System.Runtime.InteropServices;
using Weft.Convert.Checkpoints;
using Weft.Weights;

namespace Weft.Convert.Quantization;

/// <summary>
/// A matrix [M, K] that a checkpoint stores quantized: codes, scales and, as the layout has them, zero points and the group of each column. What decides the
/// packed tensor's layout (zero points, order of columns) is read when it is found, the codes when they are written.
/// </summary>
internal sealed class CheckpointMatrix : MatrixSource
{
    private readonly QuantizationConfig config;
    private readonly int rows;
    private readonly int columns;
    private readonly int groups;
    private readonly StoredTensor codes;
    private readonly StoredTensor? zeroPoints; // without them, the middle of all codes
    private readonly StoredTensor scales;
    private readonly int[]? order;

    /// <summary>Finds and checks the tensors of one matrix.</summary>
    /// <param name="config">How they are stored.</param>
    /// <param name="shape">[M, K].</param>
    /// <param name="find">Takes a tensor by its last name (qweight …) out of the checkpoint; null when it is not there.</param>
    /// <param name="name">The matrix's name, for messages.</param>
    /// <exception cref="WeftException">One is missing, or contradicts the config.</exception>
    public CheckpointMatrix(QuantizationConfig config, IReadOnlyList<int> shape, Func<string, StoredTensor?> find, string name)
    {
        this.config = config;
        Name = name;
        (rows, columns) = (shape[0], shape[1]);
        var groupSize = config.GroupSize == -1 ? columns : config.GroupSize;
        codes = Required(config.CodesName);
        if (!QuantizedLayout.IsGroupSize(groupSize, columns))
            throw new WeftException($"{codes.File}: '{name}' has {columns} columns in groups of {groupSize}; a group can have {QuantizedLayout.GroupSizes}");
        groups = columns / groupSize;
        switch (config.Method)
        {
            case QuantizationMethod.Gptq or QuantizationMethod.Awq:
                var isGptq = config.Method == QuantizationMethod.Gptq;
                Check(codes, StoredType.Int32, isGptq ? [InWords(columns), rows] : [columns, InWords(rows)]);
                Check(zeroPoints = Required("qzeros"), StoredType.Int32, [groups, InWords(rows)]);
                Check(scales = Required(config.ScalesName), StoredType.Float16, [groups, rows]);
                if (isGptq)
                    order = OrderOf(find("g_idx"), groupSize);
                break;
            case QuantizationMethod.CompressedPacked:
                Check(codes, StoredType.Int32, [rows, InWords(columns)]);
                Check(scales = Required(config.ScalesName), null, [rows, groups]);
                order = OrderOf(find("weight_g_idx"), groupSize);
                find("weight_shape");
                break;
            default:
                Check(codes, StoredType.Int8, [rows, columns]);
                Check(scales = Required(config.ScalesName), null, config.Method == QuantizationMethod.BitsAndBytes ? [rows] : [rows, groups]);
                find("weight_format");
                break;
        }

        Quantization = new()
        {
            GroupSize = groupSize,
            ZeroPoints = ReadZeroPoints().Any(zero => zero != Middle),
            Permuted = order is not null,
        };

        // A stream of bits fills whole words.
        long InWords(int count) => count * config.Bits % 32 == 0 ? count * config.Bits / 32
            : throw new WeftException($"{codes.File}: '{name}' is [{rows}, {columns}], of which {config.Bits} bits a weight do not fill words of 32");

        StoredTensor Required(string last) =>
            find(last) ?? throw new WeftException($"{(codes?.File is { } file ? file + ": " : "")}'{name}' is quantized, but its tensor '{last}' is missing");
    }

    /// <summary>The matrix's name, for messages.</summary>
    public string Name { get; }

    /// <summary>Where its codes are.</summary>
    public string File => codes.File;

    /// <summary>How the packed tensor is quantized.</summary>
    public Weights.Quantization Quantization { get; }

    // Where the packed file's codes have their zero unless it says otherwise.
    private int Middle => config.Type == Tensors.DataType.Int4 ? 8 : 128;

    /// <summary>Whether its columns are stored in the order of another's.</summary>
    public bool HasOrderOf(CheckpointMatrix other) => order is null ? other.order is null : other.order is not null && order.AsSpan().SequenceEqual(other.order);

    /// <inheritdoc/>
    public override long ByteLength => codes.ByteLength + (zeroPoints?.ByteLength ?? 0) + scales.ByteLength;

    /// <inheritdoc/>
    public override QuantizedMatrix Read() => new()
    {
        Codes = config.Method switch
        {
            QuantizationMethod.Gptq => UnpackDown(Words(codes)),
            QuantizationMethod.Awq => UnpackAcross(Words(codes), columns),
            QuantizationMethod.CompressedPacked => UnpackAlong(Words(codes)),
            _ => [.. Bytes(codes).Select(code => (byte)(code ^ 0x80))], // −128 … 127 from 0 on
        },
        Scales = ReadScales(),
        ZeroPoints = ReadZeroPoints(),
        Order = order,
    };

    /// <summary>GPTQ: a stream of bits goes down the columns of the matrix, [K · bits / 32, M] words; a code of 3 bits may begin in one and end in the next.</summary>
    private byte[] UnpackDown(int[] words)
    {
        var result = new byte[(long)rows * columns];
        Parallel.For(0, rows, row =>
        {
            for (var column = 0; column < columns; column++)
                result[((long)row * columns) + column] = Code(words, row, rows, order is null ? column : order[column]);
        });
        return result;
    }

    /// <summary>compressed-tensors: a row's codes follow one another, [M, K · bits / 32] words.</summary>
    private byte[] UnpackAlong(int[] words)
    {
        var result = new byte[(long)rows * columns];
        var length = columns * config.Bits / 32;
        Parallel.For(0, rows, row =>
        {
            for (var column = 0; column < columns; column++)
                result[((long)row * columns) + column] = Code(words, (long)row * length, 1, order is null ? column : order[column]);
        });
        return result;
    }

    /// <summary>Code <paramref name="index"/> of a stream of bits, lowest first, whose words are <paramref name="stride"/> apart.</summary>
    private byte Code(int[] words, long first, int stride, int index)
    {
        var (word, shift) = Math.DivRem(index * config.Bits, 32);
        ulong bits = (uint)words[first + ((long)word * stride)];
        if (shift + config.Bits > 32)
            bits |= (ulong)(uint)words[first + ((long)(word + 1) * stride)] << 32;
        return (byte)((bits >> shift) & ((1u << config.Bits) - 1));
    }

    /// <summary>AWQ: a word holds eight neighbouring rows of the matrix in an order of its own, [<paramref name="count"/>, M / 8]. Gives [M, count].</summary>
    private byte[] UnpackAcross(int[] words, int count)
    {
        var result = new byte[(long)rows * count];
        Parallel.For(0, rows, row =>
        {
            var shift = AwqShift(row % 8);
            for (var i = 0; i < count; i++)
                result[((long)row * count) + i] = (byte)((words[((long)i * (rows / 8)) + (row / 8)] >> shift) & 15);
        });
        return result;
    }

    // Nibble i of a word holds row (0, 2, 4, 6, 1, 3, 5, 7)[i].
    private static int AwqShift(int row) => 4 * ((row / 2) + (row % 2 * 4));

    /// <summary>[M, groups].</summary>
    private byte[] ReadZeroPoints()
    {
        if (zeroPoints is null)
            return [.. Enumerable.Repeat((byte)Middle, rows * groups)];
        var words = Words(zeroPoints);
        var length = rows * config.Bits / 32;
        var result = new byte[groups * rows];
        for (var i = 0; i < result.Length; i++)
        {
            var (group, row) = Math.DivRem(i, rows);
            var stored = config.Method == QuantizationMethod.Gptq ? Code(words, (long)group * length, 1, row) : (words[(group * length) + (row / 8)] >> AwqShift(row % 8)) & 15;
            var zero = stored + config.ZeroPointOffset;
            if (config.IsSymmetric && zero != Middle)
                throw new WeftException($"{zeroPoints.File}: 'zero_point' is false in the config, but tensor '{zeroPoints.Name}' holds a zero point of {zero}; without them all are {Middle}");
            result[i] = zero <= byte.MaxValue
                ? (byte)zero
                : throw new WeftException($"{zeroPoints.File}: tensor '{zeroPoints.Name}' holds a zero point of {zero}, beyond all codes");
        }

        return [.. Transpose(result)];
    }

    /// <summary>[M, groups].</summary>
    private Half[] ReadScales()
    {
        var stored = Numbers(scales);
        // bitsandbytes stores the largest weight of a row.
        var factor = config.Method == QuantizationMethod.BitsAndBytes ? 1f / sbyte.MaxValue : 1;
        var result = new Half[stored.Length];
        for (var i = 0; i < stored.Length; i++)
        {
            result[i] = (Half)(stored[i] * factor);
            if (result[i] == Half.Zero || !Half.IsFinite(result[i]))
                throw new WeftException($"{scales.File}: tensor '{scales.Name}' holds a scale of {stored[i]} at [{string.Join(", ", Place(i))}]");
        }

        return config.Method is QuantizationMethod.Gptq or QuantizationMethod.Awq ? [.. Transpose(result)] : result;

        IEnumerable<long> Place(int i) => scales.Shape.Count == 1 ? [i] : [i / scales.Shape[1], i % scales.Shape[1]];
    }

    private IEnumerable<T> Transpose<T>(T[] values)
    {
        for (var row = 0; row < rows; row++)
        {
            for (var group = 0; group < groups; group++)
                yield return values[(group * rows) + row];
        }
    }

    /// <summary>Columns sorted by group; null where they are already.</summary>
    private int[]? OrderOf(StoredTensor? groupOf, int groupSize)
    {
        if (groupOf is null)
            return null;
        Check(groupOf, StoredType.Int32, [columns]);
        var group = Words(groupOf);
        if (Enumerable.Range(0, columns).All(column => group[column] == column / groupSize))
            return null;
        if (!config.ActOrder)
            throw new WeftException($"{groupOf.File}: tensor '{groupOf.Name}' has columns out of order, but the quantization config says desc_act false");
        foreach (var members in group.CountBy(index => index))
        {
            if (members.Key < 0 || members.Key >= groups || members.Value != groupSize)
                throw new WeftException($"{groupOf.File}: tensor '{groupOf.Name}' puts {members.Value} columns into group {members.Key}; {groups} groups of {groupSize} are expected");
        }

        return [.. Enumerable.Range(0, columns).OrderBy(column => group[column])];
    }

    /// <param name="tensor">What is checked.</param>
    /// <param name="type">What it should hold; null for numbers of any type.</param>
    /// <param name="shape">What it should be.</param>
    private void Check(StoredTensor tensor, StoredType? type, IReadOnlyList<long> shape)
    {
        if (type is { } wanted ? tensor.Type != wanted : !tensor.Type.IsFloat())
            throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' holds {tensor.Type}, but {type?.ToString() ?? "numbers"} {(type is null ? "are" : "is")} expected");
        if (!tensor.Shape.SequenceEqual(shape))
        {
            throw new WeftException(
                $"{tensor.File}: tensor '{tensor.Name}' has the shape [{string.Join(", ", tensor.Shape)}], but {config.Bits} bits and {groups} groups of {columns / groups} columns ask for [{string.Join(", ", shape)}]");
        }

        if (!tensor.IsContiguous)
            throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' is a view into another, which quantized weights cannot be");
    }

    private static float[] Numbers(StoredTensor tensor)
    {
        var bytes = Bytes(tensor);
        return tensor.Type switch
        {
            StoredType.Float32 => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            StoredType.Float16 => [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(value => (float)value)],
            StoredType.BFloat16 => [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(bits => BitConverter.Int32BitsToSingle(bits << 16))],
            _ => throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' holds {tensor.Type}; scales may be f16, bf16 or f32"),
        };
    }

    private static int[] Words(StoredTensor tensor) => MemoryMarshal.Cast<byte, int>(Bytes(tensor)).ToArray();

    private static byte[] Bytes(StoredTensor tensor)
    {
        using var file = SourceReader.Open(tensor.File);
        var bytes = new byte[tensor.ByteLength];
        file.Read(bytes, tensor.Offset);
        return bytes;
    }
}

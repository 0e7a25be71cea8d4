using System.Runtime.InteropServices;
using Weft.Convert.Checkpoints;
using Weft.Weights;

namespace Weft.Convert.Quantization;

/// <summary>
/// A matrix [M, K] that a checkpoint stores quantized: qweight, qzeros, scales and, for GPTQ, g_idx. What decides the packed tensor's layout (zero
/// points, order of columns) is read when it is found, the codes when they are written.
/// </summary>
internal sealed class CheckpointMatrix : MatrixSource
{
    private readonly QuantizationConfig config;
    private readonly int rows;
    private readonly int columns;
    private readonly int groups;
    private readonly StoredTensor codes;
    private readonly StoredTensor zeroPoints;
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
        codes = Required("qweight");
        if (!QuantizedLayout.IsGroupSize(groupSize, columns))
            throw new WeftException($"{codes.File}: '{name}' has {columns} columns in groups of {groupSize}; a group can have {QuantizedLayout.GroupSizes}");
        groups = columns / groupSize;
        var perWord = 32 / config.Bits;
        var isGptq = config.Method == QuantizationMethod.Gptq;
        Check(codes, StoredType.Int32, isGptq ? [columns / perWord, rows] : [columns, rows / perWord]);
        Check(zeroPoints = Required("qzeros"), StoredType.Int32, [groups, rows / perWord]);
        Check(scales = Required("scales"), StoredType.Float16, [groups, rows]);
        if (isGptq && find("g_idx") is { } groupOf)
        {
            Check(groupOf, StoredType.Int32, [columns]);
            order = OrderOf(groupOf, groupSize);
        }

        Quantization = new()
        {
            GroupSize = groupSize,
            ZeroPoints = ReadZeroPoints().Any(zero => zero != 1 << (config.Bits - 1)),
            Permuted = order is not null,
        };

        StoredTensor Required(string last) =>
            find(last) ?? throw new WeftException($"{(codes?.File is { } file ? file + ": " : "")}'{name}' is quantized, but its tensor '{last}' is missing");
    }

    /// <summary>The matrix's name, for messages.</summary>
    public string Name { get; }

    /// <summary>Where its codes are.</summary>
    public string File => codes.File;

    /// <summary>How the packed tensor is quantized.</summary>
    public Weights.Quantization Quantization { get; }

    /// <summary>Whether its columns are stored in the order of another's.</summary>
    public bool HasOrderOf(CheckpointMatrix other) => order is null ? other.order is null : other.order is not null && order.AsSpan().SequenceEqual(other.order);

    /// <inheritdoc/>
    public override long ByteLength => codes.ByteLength + zeroPoints.ByteLength + scales.ByteLength;

    /// <inheritdoc/>
    public override QuantizedMatrix Read() => new()
    {
        Codes = config.Method == QuantizationMethod.Gptq ? UnpackDown(Words(codes)) : UnpackAcross(Words(codes), columns),
        Scales = ReadScales(),
        ZeroPoints = [.. Transpose(ReadZeroPoints())],
        Order = order,
    };

    /// <summary>GPTQ: a word holds neighbouring columns of the matrix, [K / per word, M].</summary>
    private byte[] UnpackDown(int[] words)
    {
        var (perWord, mask) = (32 / config.Bits, (1 << config.Bits) - 1);
        var result = new byte[(long)rows * columns];
        Parallel.For(0, rows, row =>
        {
            for (var column = 0; column < columns; column++)
            {
                var source = order is null ? column : order[column];
                result[((long)row * columns) + column] =
                    (byte)((words[((long)(source / perWord) * rows) + row] >> (source % perWord * config.Bits)) & mask);
            }
        });
        return result;
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

    /// <summary>[groups, M].</summary>
    private byte[] ReadZeroPoints()
    {
        var words = Words(zeroPoints);
        var (perWord, mask) = (32 / config.Bits, (1 << config.Bits) - 1);
        var result = new byte[groups * rows];
        for (var i = 0; i < result.Length; i++)
        {
            var (word, place) = (words[i / perWord], i % perWord);
            var shift = config.Method == QuantizationMethod.Gptq ? place * config.Bits : AwqShift(place);
            var zero = ((word >> shift) & mask) + config.ZeroPointOffset;
            result[i] = zero <= byte.MaxValue
                ? (byte)zero
                : throw new WeftException($"{zeroPoints.File}: tensor '{zeroPoints.Name}' holds a zero point of {zero}, beyond all codes");
        }

        return result;
    }

    /// <summary>[M, groups].</summary>
    private Half[] ReadScales()
    {
        var stored = MemoryMarshal.Cast<byte, Half>(Bytes(scales)).ToArray();
        for (var i = 0; i < stored.Length; i++)
        {
            if (stored[i] == Half.Zero || !Half.IsFinite(stored[i]))
                throw new WeftException($"{scales.File}: tensor '{scales.Name}' holds a scale of {stored[i]} at [{i / rows}, {i % rows}]");
        }

        return [.. Transpose(stored)];
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
    private int[]? OrderOf(StoredTensor groupOf, int groupSize)
    {
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

    private void Check(StoredTensor tensor, StoredType type, IReadOnlyList<long> shape)
    {
        if (tensor.Type != type)
            throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' holds {tensor.Type}, but {type} is expected");
        if (!tensor.Shape.SequenceEqual(shape))
        {
            throw new WeftException(
                $"{tensor.File}: tensor '{tensor.Name}' has the shape [{string.Join(", ", tensor.Shape)}], but {config.Bits} bits and {groups} groups of {columns / groups} columns ask for [{string.Join(", ", shape)}]");
        }

        if (!tensor.IsContiguous)
            throw new WeftException($"{tensor.File}: tensor '{tensor.Name}' is a view into another, which quantized weights cannot be");
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

using System.Buffers.Binary;
using Weft.Convert.Checkpoints;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Quantization;

/// <summary>
/// Rows of a matrix that a GGUF file holds in groups of 32 codes with one scale (Q4_0, Q5_0, Q8_0, IQ4_NL), or with a scale and a least number (Q4_1, Q5_1, Q4_K, Q5_K): they are the packed file's
/// codes, or become them by an addition. A scale that is a product becomes an f16, and a least number the zero point that gives it. Types with groups of 16 have no such counterpart, and IQ4_XS would take twice its bits.
/// </summary>
/// <param name="matrix">A view of the rows.</param>
/// <param name="columns">K.</param>
internal sealed class GgufMatrix(StoredTensor matrix, int columns) : MatrixSource
{
    private const int Group = 32;
    private const float LargestZeroPoint = 60_000; // f16 ends at 65,504

    private GgufBlockType Type => ((GgufBlocks)matrix.Coded!).BlockType;

    /// <inheritdoc/>
    public override long ByteLength => matrix.ByteLength;

    /// <summary>The packed matrix of such rows; null where what is stored is something else.</summary>
    /// <param name="requirement">The packed matrix.</param>
    /// <param name="source">What the family made of the checkpoint.</param>
    public static PlannedTensor? TryPlan(TensorRequirement requirement, TensorSource source)
    {
        var columns = requirement.Shape[1];
        if (source.Transform is not null || source.Pieces.Select(piece => (piece.Coded as GgufBlocks)?.BlockType).Distinct().ToList() is not [var type] || type is null or { Codes: null, Group: null })
            return null;
        var parts = source.Pieces.Select(piece => (Source: (MatrixSource)new GgufMatrix(piece, columns), Rows: (int)(piece.Count / columns))).ToList();
        if (source.Pieces.Any(piece => piece.Shape[^1] != columns || piece.Strides[^1] != 1) || (parts.Count > 1 && parts.Exists(part => part.Rows % QuantizedLayout.TileRows != 0)))
            return null;
        return new(requirement.Name, requirement.Shape, type.HasSmallCodes ? DataType.Int4 : DataType.Int8, source)
        {
            Quantized = (new() { GroupSize = Group, ZeroPoints = type.Group is not null, Fractional = type.Group is not null }, parts is [var only] ? only.Source : new JoinedRows(parts)),
        };
    }

    /// <inheritdoc/>
    public override QuantizedMatrix Read()
    {
        var rows = SelectedRows.RowsOf(matrix, columns).ToArray();
        var groups = columns / Group;
        var result = new QuantizedMatrix
        {
            Codes = new byte[(long)rows.Length * columns],
            Scales = new Half[rows.Length * groups],
            ZeroPoints = [],
            FractionalZeroPoints = new Half[Type.Group is null ? 0 : rows.Length * groups],
        };
        var (inBlock, bytes) = (Type.Elements / Group, new byte[columns / Type.Elements * Type.Bytes]);
        using var file = SourceReader.Open(matrix.File);
        for (var row = 0; row < rows.Length; row++)
        {
            matrix.Coded!.ReadCodes(file, (long)rows[row] * columns, bytes);
            for (var group = 0; group < groups; group++)
            {
                var block = bytes.AsSpan(group / inBlock * Type.Bytes, Type.Bytes);
                var index = (row * groups) + group;
                var codes = result.Codes.AsSpan(index * Group, Group);
                if (Type.Group is null)
                    result.Scales[index] = ReadScaled(block, codes, rows[row]);
                else
                    (result.Scales[index], result.FractionalZeroPoints[index]) = ReadGroup(block, group % inBlock, codes, rows[row]);
            }
        }

        return result;
    }

    private Half ReadScaled(ReadOnlySpan<byte> block, Span<byte> codes, int row)
    {
        var middle = Type.HasSmallCodes ? 8 : 128;
        Span<sbyte> numbers = stackalloc sbyte[Group];
        Type.Codes!(block[2..], numbers);
        for (var i = 0; i < Group; i++)
            codes[i] = (byte)(numbers[i] + middle);
        return Finite((float)BinaryPrimitives.ReadHalfLittleEndian(block), "scale", row);
    }

    private (Half Scale, Half ZeroPoint) ReadGroup(ReadOnlySpan<byte> block, int group, Span<byte> codes, int row)
    {
        Type.Group!(block, group, codes, out var scale, out var least);
        var (stored, storedLeast) = (Finite(scale, "scale", row), Finite(least, "least number", row));
        // Zero points count from the middle of the packed codes, and most are near that of the file's.
        var (middle, ownMiddle) = Type.HasSmallCodes ? (8, 8) : (128, 16);
        // The quotient of the file's own numbers leaves of the scale's rounding what each number has of it, and no more.
        var zeroPoint = (-least / (Half.IsNormal(stored) ? scale : (float)stored)) - ownMiddle;
        if (MathF.Abs(zeroPoint) <= LargestZeroPoint)
        {
            for (var i = 0; i < Group; i++)
                codes[i] += (byte)(middle - ownMiddle);
            return (stored, (Half)zeroPoint);
        }

        // Beside such a least number the scale counts for nothing, or is nothing: all numbers are the least.
        codes.Fill((byte)middle);
        return (Half.Abs(storedLeast), (Half)(-Half.Sign(storedLeast)));
    }

    private Half Finite(float value, string what, int row) =>
        (Half)value is var stored && Half.IsFinite(stored) ? stored : throw new WeftException($"{matrix.File}: tensor '{matrix.Name}' holds a {what} of {value} in row {row}");
}

using System.Buffers.Binary;
using Weft.Convert.Checkpoints;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Quantization;

/// <summary>
/// Rows of a matrix that a GGUF file holds in blocks of whole numbers with one scale (Q4_0, Q5_0, Q8_0, IQ4_NL): they are the packed file's codes in groups of 32, or
/// become them by an addition. Types whose scales are codes themselves have no such counterpart.
/// </summary>
/// <param name="matrix">A view of the rows.</param>
/// <param name="columns">K.</param>
internal sealed class GgufMatrix(StoredTensor matrix, int columns) : MatrixSource
{
    private const int Group = 32;

    /// <summary>What the codes stand for.</summary>
    public static Weights.Quantization Meaning { get; } = new() { GroupSize = Group };

    private GgufBlockType Type => ((GgufBlocks)matrix.Coded!).BlockType;

    /// <inheritdoc/>
    public override long ByteLength => matrix.ByteLength;

    /// <summary>The packed matrix of such rows; null where what is stored is something else.</summary>
    /// <param name="requirement">The packed matrix.</param>
    /// <param name="source">What the family made of the checkpoint.</param>
    public static PlannedTensor? TryPlan(TensorRequirement requirement, TensorSource source)
    {
        var columns = requirement.Shape[1];
        if (source.Transform is not null || source.Pieces.Select(piece => (piece.Coded as GgufBlocks)?.BlockType).Distinct().ToList() is not [{ Codes: not null } type])
            return null;
        var parts = source.Pieces.Select(piece => (Source: (MatrixSource)new GgufMatrix(piece, columns), Rows: (int)(piece.Count / columns))).ToList();
        if (source.Pieces.Any(piece => piece.Shape[^1] != columns || piece.Strides[^1] != 1) || (parts.Count > 1 && parts.Exists(part => part.Rows % QuantizedLayout.TileRows != 0)))
            return null;
        return new(requirement.Name, requirement.Shape, type.HasSmallCodes ? DataType.Int4 : DataType.Int8, source)
        {
            Quantized = (Meaning, parts is [var only] ? only.Source : new JoinedRows(parts)),
        };
    }

    /// <inheritdoc/>
    public override QuantizedMatrix Read()
    {
        var rows = SelectedRows.RowsOf(matrix, columns).ToArray();
        var groups = columns / Group;
        var (codes, scales) = (new byte[(long)rows.Length * columns], new Half[rows.Length * groups]);
        var middle = Type.HasSmallCodes ? 8 : 128;
        var bytes = new byte[groups * Type.Bytes];
        Span<sbyte> numbers = stackalloc sbyte[Group];
        using var file = SourceReader.Open(matrix.File);
        for (var row = 0; row < rows.Length; row++)
        {
            matrix.Coded!.ReadCodes(file, (long)rows[row] * columns, bytes);
            for (var group = 0; group < groups; group++)
            {
                var block = bytes.AsSpan(group * Type.Bytes, Type.Bytes);
                var scale = BinaryPrimitives.ReadHalfLittleEndian(block);
                scales[(row * groups) + group] = Half.IsFinite(scale) ? scale : throw new WeftException($"{matrix.File}: tensor '{matrix.Name}' holds a scale of {scale} in row {rows[row]}");
                Type.Codes!(block[2..], numbers);
                var target = codes.AsSpan((row * columns) + (group * Group), Group);
                for (var i = 0; i < Group; i++)
                    target[i] = (byte)(numbers[i] + middle);
            }
        }

        return new() { Codes = codes, Scales = scales, ZeroPoints = [] };
    }
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weft.Backends.Cpu.Simd;
using Weft.Weights;

namespace Weft.Backends.Cpu.MatMul;

/// <summary>
/// The product with a matrix of MXFP4 codes. Sixteen rows at a time, which share tiles, become numbers in the thread's own cache, exactly, and are multiplied as
/// float32 rows are: activations are not rounded, as they are for codes of integers.
/// </summary>
internal sealed unsafe class Mxfp4MatMulKernel<TSimd, TVector>(QuantizedLayout layout) : MatMulKernel
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int StepColumns = 16;
    private const int RowBytes = 64; // of a tile: two rows' codes
    private const int Pairs = QuantizedLayout.TileRows / 2;

    private static readonly MatMulKernel Numbers = MatMulKernel<TSimd, TVector, Float32Weights>.Instance;

    // 2^(e − 127) / 2 of a stored exponent e: codes are looked up doubled, which makes them integers.
    private static readonly float[] HalfScales = [.. Enumerable.Range(0, 256).Select(exponent => MathF.ScaleB(1, exponent - 128))];

    /// <summary>Floats that a thread needs.</summary>
    public static int ScratchFloats(QuantizedLayout layout) => PackedFloats(MaxChunk) + (QuantizedLayout.TileRows * layout.Columns);

    /// <inheritdoc/>
    public override void Pack(in MatMulArguments arguments, float* packed) => Numbers.Pack(arguments, packed);

    /// <inheritdoc/>
    public override void Run(in MatMulArguments arguments, int firstRow, int endRow, float* scratch)
    {
        var numbers = scratch + PackedFloats(MaxChunk);
        for (var row = firstRow; row < endRow;)
        {
            var block = row / QuantizedLayout.TileRows;
            var first = block * QuantizedLayout.TileRows;
            var end = Math.Min(first + QuantizedLayout.TileRows, endRow);
            Expand(arguments.W, block, numbers);
            var piece = arguments;
            piece.W = (byte*)numbers;
            piece.Y += first;
            piece.Bias = piece.Bias == null ? null : piece.Bias + first;
            Numbers.Run(piece, row - first, end - first, scratch);
            row = end;
        }
    }

    /// <summary>The sixteen rows of a block of tiles as numbers, [16, K].</summary>
    [MethodImpl(Hot.Path)]
    private void Expand(byte* matrix, int block, float* numbers)
    {
        for (var tile = 0; tile < layout.ColumnTiles; tile++)
        {
            var codes = matrix + layout.Tile(block, tile);
            var column = tile * layout.TileColumns;
            var steps = Math.Min(layout.TileColumns, layout.Columns - column) / StepColumns;
            for (var step = 0; step < steps; step++, column += StepColumns)
            {
                var scales = matrix + layout.Scales + layout.GroupIndex(block * QuantizedLayout.TileRows, column / layout.Quantization.GroupSize);
                for (var pair = 0; pair < Pairs; pair++)
                {
                    // A lane holds four neighbouring columns of each step.
                    var lanes = (uint*)(codes + (pair * RowBytes)) + step;
                    var bytes = Vector128.Create(lanes[0], lanes[4], lanes[8], lanes[12]).AsByte();
                    Store(bytes & Vector128.Create((byte)15), HalfScales[scales[pair]], numbers + ((nint)pair * layout.Columns) + column);
                    Store((bytes.AsUInt16() >>> 4).AsByte() & Vector128.Create((byte)15), HalfScales[scales[pair + Pairs]], numbers + ((nint)(pair + Pairs) * layout.Columns) + column);
                }
            }
        }
    }

    /// <summary>Sixteen columns of a row, of which each lane's four are stored in the order 0, 2, 1, 3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector128<byte> codes, float halfScale, float* numbers)
    {
        var doubled = Vector128.Shuffle(
            Vector128.Create(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12), Vector128.Shuffle(codes, Vector128.Create((byte)0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15)).AsSByte());
        var scale = Vector128.Create(halfScale);
        var (low, high) = Vector128.Widen(doubled);
        var (a, b) = Vector128.Widen(low);
        var (c, d) = Vector128.Widen(high);
        (Vector128.ConvertToSingle(a) * scale).Store(numbers);
        (Vector128.ConvertToSingle(b) * scale).Store(numbers + 4);
        (Vector128.ConvertToSingle(c) * scale).Store(numbers + 8);
        (Vector128.ConvertToSingle(d) * scale).Store(numbers + 12);
    }
}

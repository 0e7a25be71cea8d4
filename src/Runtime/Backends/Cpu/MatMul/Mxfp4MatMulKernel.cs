using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weft.Backends.Cpu.Simd;
using Weft.Weights;

namespace Weft.Backends.Cpu.MatMul;

/// <summary>MXFP4 codes as numbers.</summary>
internal sealed unsafe class Mxfp4MatMulKernel<TSimd, TVector>(QuantizedLayout layout) : DecodedMatMulKernel<TSimd, TVector>(layout)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int StepColumns = 16;
    private const int RowBytes = 64; // of a tile: two rows' codes
    private const int Pairs = QuantizedLayout.TileRows / 2;

    // 2^(e − 127) / 2 of a stored exponent e: codes are looked up doubled, which makes them integers.
    private static readonly float[] HalfScales = [.. Enumerable.Range(0, 256).Select(exponent => MathF.ScaleB(1, exponent - 128))];

    /// <inheritdoc/>
    [MethodImpl(Hot.Path)]
    protected override void Decode(byte* matrix, int block, float* numbers)
    {
        for (var tile = 0; tile < Layout.ColumnTiles; tile++)
        {
            var codes = matrix + Layout.Tile(block, tile);
            var column = tile * Layout.TileColumns;
            var steps = Math.Min(Layout.TileColumns, Layout.Columns - column) / StepColumns;
            for (var step = 0; step < steps; step++, column += StepColumns)
            {
                var scales = matrix + Layout.Scales + Layout.GroupIndex(block * QuantizedLayout.TileRows, column / Layout.Quantization.GroupSize);
                for (var pair = 0; pair < Pairs; pair++)
                {
                    // A lane holds four neighbouring columns of each step.
                    var lanes = (uint*)(codes + (pair * RowBytes)) + step;
                    var bytes = Vector128.Create(lanes[0], lanes[4], lanes[8], lanes[12]).AsByte();
                    Store(bytes & Vector128.Create((byte)15), HalfScales[scales[pair]], numbers + ((nint)pair * Layout.Columns) + column);
                    Store((bytes.AsUInt16() >>> 4).AsByte() & Vector128.Create((byte)15), HalfScales[scales[pair + Pairs]], numbers + ((nint)(pair + Pairs) * Layout.Columns) + column);
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

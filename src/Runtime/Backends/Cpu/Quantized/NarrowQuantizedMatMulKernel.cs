using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Weights;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>
/// For machines whose vectors are at most 32 bytes, of which there are 16. 64 bytes of a tile hold codes of two rows, 8 apart, which meet a token's values as they lie: a lane of the sums
/// is four columns of one row.
/// </summary>
internal sealed unsafe class NarrowQuantizedMatMulKernel<TDot, TCode>(QuantizedLayout layout, ByteInput input) : ByteMatMulKernel(layout, input)
    where TDot : struct, IByteDot
    where TCode : struct, ICode
{
    private const int Pairs = QuantizedLayout.TileRows / 2;

    /// <inheritdoc/>
    protected override void Begin(byte* tiles, byte* codes, int count)
    {
    }

    /// <inheritdoc/>
    protected override void Multiply(byte* tiles, byte* codes, byte* rows, int count, float* scales, float* zeros, float* sums)
    {
        for (var token = 0; token < count; token++)
        {
            for (var pair = 0; pair < Pairs; pair++)
                MultiplyPair(tiles + (pair * ByteInput.VectorBytes), rows, scales, pair, sums);
            TakeOff(rows, scales, zeros, sums);
            rows += Input.Bytes;
            sums += QuantizedLayout.TileRows;
        }
    }

    /// <summary>Takes what zero points add off all sums of a token.</summary>
    [MethodImpl(Hot.Path)]
    private void TakeOff(byte* row, float* scales, float* zeros, float* sums)
    {
        var groupSums = Input.Sums(row);
        var zero = Vector512<float>.Zero;
        for (var group = 0; group < Layout.Groups; group++, scales += QuantizedLayout.TileRows, zeros += QuantizedLayout.TileRows)
            zero = Vector512.MultiplyAddEstimate(Vector512.Load(scales) * Vector512.Load(zeros), Vector512.Create(groupSums[group]), zero);
        (Vector512.Load(sums) - zero).Store(sums);
    }

    /// <summary>Two rows of one token.</summary>
    [MethodImpl(Hot.Path)]
    private void MultiplyPair(byte* w, byte* row, float* scales, int pair, float* sums)
    {
        var x = ByteInput.Values(row);
        var xScales = Input.Scales(row);
        var blockBytes = (nint)Layout.ColumnTiles * QuantizedLayout.TileBytes;
        var next = w - (pair * ByteInput.VectorBytes) + blockBytes + (pair * blockBytes / Pairs);
        Vector512<float> lower = default, upper = default;
        for (var tile = 0; tile < Layout.ColumnTiles;)
        {
            Vector512<float> lowerPart = default, upperPart = default;
            var group = tile * Input.GroupsPerTile / Input.TilesPerGroup;
            for (var end = Math.Min(tile + Input.TilesPerGroup, Layout.ColumnTiles); tile < end; tile++)
            {
                if (Sse.IsSupported)
                    Sse.Prefetch0(next + ((nint)tile * ByteInput.VectorBytes));
                var bytes = Vector512.Load(w + ((nint)tile * QuantizedLayout.TileBytes));
                var values = Vector512.Load(x + (tile * ByteInput.VectorBytes));
                var scale = Scales(xScales, tile);
                lowerPart = Vector512.MultiplyAddEstimate(TCode.Lower<TDot>(bytes, values), scale, lowerPart);
                upperPart = Vector512.MultiplyAddEstimate(TCode.Upper<TDot>(bytes, values), scale, upperPart);
            }

            var s = scales + (group * QuantizedLayout.TileRows) + pair;
            lower = Vector512.MultiplyAddEstimate(lowerPart, LowerScale(s), lower);
            upper = Vector512.MultiplyAddEstimate(upperPart, UpperScale(s), upper);
        }

        Store(sums + pair, lower, upper);
    }

    /// <summary>The activations' scales of a tile, for 16 sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scales(float* scales, int tile) => Vector512.Create(Vector256.Create(Vector128.Load(scales + (tile * ByteInput.TileScales))));

    /// <summary>A group's scales of the sums of the row at <paramref name="scales"/>; for int8 also of the row 8 further, in turn.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<float> LowerScale(float* scales)
    {
        var own = Vector512.Create(scales[0]);
        if (TCode.Bits == 8)
            return Vector512.ConditionalSelect(EvenLanes, own, Vector512.Create(scales[Pairs]));
        // Where a tile has two groups, its second half of steps belongs to the next.
        return Input.GroupsPerTile == 1 ? own : Vector512.ConditionalSelect(FirstSteps, own, Vector512.Create(scales[QuantizedLayout.TileRows]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<float> UpperScale(float* scales)
    {
        var own = Vector512.Create(scales[Pairs]);
        return Input.GroupsPerTile == 1 ? own : Vector512.ConditionalSelect(FirstSteps, own, Vector512.Create(scales[QuantizedLayout.TileRows + Pairs]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Store(float* sums, Vector512<float> lower, Vector512<float> upper)
    {
        var isInt8 = TCode.Bits == 8;
        sums[0] = Vector512.Sum(isInt8 ? Vector512.ConditionalSelect(EvenLanes, lower, Vector512<float>.Zero) : lower);
        sums[Pairs] = Vector512.Sum(isInt8 ? Vector512.ConditionalSelect(EvenLanes, Vector512<float>.Zero, lower) : upper);
    }

    private static Vector512<float> EvenLanes => Vector512.Create(0xFFFFFFFFL).AsSingle();
}

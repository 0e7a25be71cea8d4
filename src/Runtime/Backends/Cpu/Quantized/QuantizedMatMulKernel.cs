using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu.MatMul;
using Weft.Weights;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>
/// y[N, M] = x[N, K] · W[M, K]ᵀ for a matrix of tiles and rows of 8-bit activations. A vector of 64 bytes holds codes of two rows, 8 apart; sums of
/// four products are exact integers, and are scaled by the activations' scales once a tile, by the weights' once a group. One token takes four pairs
/// of rows at a time, so that each weight is read once, front to back; of many tokens, four share the unpacking of a pair.
/// </summary>
internal sealed unsafe class QuantizedMatMulKernel<TDot, TCode> : MatMulKernel
    where TDot : struct, IByteDot
    where TCode : struct, ICode
{
    private const int Pairs = QuantizedLayout.TileRows / 2;
    private const int PairsAtOnce = 4;
    private const int TokensAtOnce = 4;

    private readonly QuantizedLayout layout;
    private readonly QuantizedInput input;

    public QuantizedMatMulKernel(QuantizedLayout layout, QuantizedInput input) => (this.layout, this.input) = (layout, input);

    /// <inheritdoc/>
    public override bool PacksItself => false;

    /// <inheritdoc/>
    public override void Pack(in MatMulArguments arguments, float* packed) => throw new NotSupportedException("rows are quantized by an operation of their own");

    /// <inheritdoc/>
    public override void Run(in MatMulArguments arguments, int firstRow, int endRow, float* scratch)
    {
        var sums = stackalloc float[TokensAtOnce * QuantizedLayout.TileRows];
        for (var row = firstRow; row < endRow;)
        {
            // An expert's rows may begin and end within a tile.
            var block = row / QuantizedLayout.TileRows;
            var end = Math.Min((block + 1) * QuantizedLayout.TileRows, endRow);
            var scales = scratch;
            var corrections = scratch + (layout.Groups * QuantizedLayout.TileRows);
            ReadScales(arguments.W, block, scales, corrections);
            var tiles = arguments.W + layout.Tile(block, 0);
            var token = 0;
            for (; TDot.IsWide && token + TokensAtOnce <= arguments.N; token += TokensAtOnce)
            {
                for (var pair = 0; pair < Pairs; pair++)
                    MultiplyTokens(tiles + (pair * QuantizedInput.VectorBytes), Row(arguments, token), scales, pair, sums);
                for (var i = 0; i < TokensAtOnce; i++)
                    Write(arguments, token + i, row, end, sums + (i * QuantizedLayout.TileRows), corrections);
            }

            for (; token < arguments.N; token++)
            {
                for (var pair = 0; pair < Pairs; pair += TDot.IsWide ? PairsAtOnce : 1)
                {
                    var w = tiles + (pair * QuantizedInput.VectorBytes);
                    if (TDot.IsWide)
                        MultiplyPairs(w, Row(arguments, token), scales, pair, sums);
                    else
                        MultiplyPair(w, Row(arguments, token), scales, pair, sums);
                }

                Write(arguments, token, row, end, sums, corrections);
            }

            row = end;
        }
    }

    private byte* Row(in MatMulArguments arguments, int token) => (byte*)arguments.PackedX + ((nint)token * input.Bytes);

    /// <summary>[groups, 16] scales, and scales times zero points, in float32.</summary>
    private void ReadScales(byte* w, int block, float* scales, float* corrections)
    {
        var first = layout.GroupIndex(block * QuantizedLayout.TileRows, 0);
        var count = layout.Groups * QuantizedLayout.TileRows;
        TensorPrimitives.ConvertToSingle(new ReadOnlySpan<Half>(w + layout.Scales + (first * sizeof(ushort)), count), new Span<float>(scales, count));
        for (var i = 0; i < count; i += QuantizedLayout.TileRows)
        {
            var zeros = layout.Quantization.ZeroPoints ? Widen(Vector128.Load(w + layout.ZeroPoints + first + i)) : Vector512.Create((float)(1 << (TCode.Bits - 1)));
            (Vector512.Load(scales + i) * zeros).Store(corrections + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Widen(Vector128<byte> bytes)
    {
        var (low, high) = Vector128.Widen(bytes);
        var (a, b) = Vector256.Widen(Vector256.Create(low, high));
        return Vector512.ConvertToSingle(Vector512.Create(a, b).AsInt32());
    }

    /// <summary>Two rows of one token, for machines with too few registers for more.</summary>
    [MethodImpl(Hot.Path)]
    private void MultiplyPair(byte* w, byte* row, float* scales, int pair, float* sums)
    {
        var x = QuantizedInput.Values(row);
        var xScales = input.Scales(row);
        var blockBytes = (nint)layout.ColumnTiles * QuantizedLayout.TileBytes;
        var next = w - (pair * QuantizedInput.VectorBytes) + blockBytes + (pair * blockBytes / Pairs);
        Vector512<float> lower = default, upper = default;
        for (var tile = 0; tile < layout.ColumnTiles;)
        {
            Vector512<float> lowerPart = default, upperPart = default;
            var group = tile * input.GroupsPerTile / input.TilesPerGroup;
            for (var end = Math.Min(tile + input.TilesPerGroup, layout.ColumnTiles); tile < end; tile++)
            {
                if (Sse.IsSupported)
                    Sse.Prefetch0(next + ((nint)tile * QuantizedInput.VectorBytes));
                var bytes = Vector512.Load(w + ((nint)tile * QuantizedLayout.TileBytes));
                var values = Vector512.Load(x + (tile * QuantizedInput.VectorBytes));
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

    /// <summary>Eight rows of one token.</summary>
    [MethodImpl(Hot.Path)]
    private void MultiplyPairs(byte* w, byte* row, float* scales, int pair, float* sums)
    {
        var x = QuantizedInput.Values(row);
        var xScales = input.Scales(row);
        // The next row of tiles, half of it while this half is multiplied: front to back, as memory likes it.
        var blockBytes = (nint)layout.ColumnTiles * QuantizedLayout.TileBytes;
        var next = w - (pair * QuantizedInput.VectorBytes) + blockBytes + (pair == 0 ? 0 : blockBytes / 2);
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default, a6 = default, a7 = default;
        for (var tile = 0; tile < layout.ColumnTiles;)
        {
            Vector512<float> p0 = default, p1 = default, p2 = default, p3 = default, p4 = default, p5 = default, p6 = default, p7 = default;
            var group = tile * input.GroupsPerTile / input.TilesPerGroup;
            for (var end = Math.Min(tile + input.TilesPerGroup, layout.ColumnTiles); tile < end; tile++)
            {
                var values = Vector512.Load(x + (tile * QuantizedInput.VectorBytes));
                var scale = Scales(xScales, tile);
                var codes = w + ((nint)tile * QuantizedLayout.TileBytes);
                Prefetch(next + ((nint)tile * PairsAtOnce * QuantizedInput.VectorBytes));
                var bytes = Vector512.Load(codes);
                p0 = Vector512.MultiplyAddEstimate(TCode.Lower<TDot>(bytes, values), scale, p0);
                p1 = Vector512.MultiplyAddEstimate(TCode.Upper<TDot>(bytes, values), scale, p1);
                bytes = Vector512.Load(codes + 64);
                p2 = Vector512.MultiplyAddEstimate(TCode.Lower<TDot>(bytes, values), scale, p2);
                p3 = Vector512.MultiplyAddEstimate(TCode.Upper<TDot>(bytes, values), scale, p3);
                bytes = Vector512.Load(codes + 128);
                p4 = Vector512.MultiplyAddEstimate(TCode.Lower<TDot>(bytes, values), scale, p4);
                p5 = Vector512.MultiplyAddEstimate(TCode.Upper<TDot>(bytes, values), scale, p5);
                bytes = Vector512.Load(codes + 192);
                p6 = Vector512.MultiplyAddEstimate(TCode.Lower<TDot>(bytes, values), scale, p6);
                p7 = Vector512.MultiplyAddEstimate(TCode.Upper<TDot>(bytes, values), scale, p7);
            }

            var s = scales + (group * QuantizedLayout.TileRows) + pair;
            a0 = Vector512.MultiplyAddEstimate(p0, LowerScale(s), a0);
            a1 = Vector512.MultiplyAddEstimate(p1, UpperScale(s), a1);
            a2 = Vector512.MultiplyAddEstimate(p2, LowerScale(s + 1), a2);
            a3 = Vector512.MultiplyAddEstimate(p3, UpperScale(s + 1), a3);
            a4 = Vector512.MultiplyAddEstimate(p4, LowerScale(s + 2), a4);
            a5 = Vector512.MultiplyAddEstimate(p5, UpperScale(s + 2), a5);
            a6 = Vector512.MultiplyAddEstimate(p6, LowerScale(s + 3), a6);
            a7 = Vector512.MultiplyAddEstimate(p7, UpperScale(s + 3), a7);
        }

        Store(sums + pair, a0, a1);
        Store(sums + pair + 1, a2, a3);
        Store(sums + pair + 2, a4, a5);
        Store(sums + pair + 3, a6, a7);
    }

    /// <summary>Two rows of four tokens.</summary>
    [MethodImpl(Hot.Path)]
    private void MultiplyTokens(byte* w, byte* row, float* scales, int pair, float* sums)
    {
        byte* r0 = row, r1 = row + input.Bytes, r2 = row + (2 * input.Bytes), r3 = row + (3 * input.Bytes);
        float* s0 = input.Scales(r0), s1 = input.Scales(r1), s2 = input.Scales(r2), s3 = input.Scales(r3);
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default, a6 = default, a7 = default;
        for (var tile = 0; tile < layout.ColumnTiles;)
        {
            Vector512<float> p0 = default, p1 = default, p2 = default, p3 = default, p4 = default, p5 = default, p6 = default, p7 = default;
            var group = tile * input.GroupsPerTile / input.TilesPerGroup;
            for (var end = Math.Min(tile + input.TilesPerGroup, layout.ColumnTiles); tile < end; tile++)
            {
                var codes = w + ((nint)tile * QuantizedLayout.TileBytes);
                var offset = tile * QuantizedInput.VectorBytes;
                var bytes = Vector512.Load(codes);
                var values = Vector512.Load((sbyte*)r0 + offset);
                var scale = Scales(s0, tile);
                p0 = Vector512.MultiplyAddEstimate(TCode.Lower<TDot>(bytes, values), scale, p0);
                p1 = Vector512.MultiplyAddEstimate(TCode.Upper<TDot>(bytes, values), scale, p1);
                values = Vector512.Load((sbyte*)r1 + offset);
                scale = Scales(s1, tile);
                p2 = Vector512.MultiplyAddEstimate(TCode.Lower<TDot>(bytes, values), scale, p2);
                p3 = Vector512.MultiplyAddEstimate(TCode.Upper<TDot>(bytes, values), scale, p3);
                values = Vector512.Load((sbyte*)r2 + offset);
                scale = Scales(s2, tile);
                p4 = Vector512.MultiplyAddEstimate(TCode.Lower<TDot>(bytes, values), scale, p4);
                p5 = Vector512.MultiplyAddEstimate(TCode.Upper<TDot>(bytes, values), scale, p5);
                values = Vector512.Load((sbyte*)r3 + offset);
                scale = Scales(s3, tile);
                p6 = Vector512.MultiplyAddEstimate(TCode.Lower<TDot>(bytes, values), scale, p6);
                p7 = Vector512.MultiplyAddEstimate(TCode.Upper<TDot>(bytes, values), scale, p7);
            }

            var s = scales + (group * QuantizedLayout.TileRows) + pair;
            var (lower, upper) = (LowerScale(s), UpperScale(s));
            a0 = Vector512.MultiplyAddEstimate(p0, lower, a0);
            a1 = Vector512.MultiplyAddEstimate(p1, upper, a1);
            a2 = Vector512.MultiplyAddEstimate(p2, lower, a2);
            a3 = Vector512.MultiplyAddEstimate(p3, upper, a3);
            a4 = Vector512.MultiplyAddEstimate(p4, lower, a4);
            a5 = Vector512.MultiplyAddEstimate(p5, upper, a5);
            a6 = Vector512.MultiplyAddEstimate(p6, lower, a6);
            a7 = Vector512.MultiplyAddEstimate(p7, upper, a7);
        }

        Store(sums + pair, a0, a1);
        Store(sums + QuantizedLayout.TileRows + pair, a2, a3);
        Store(sums + (2 * QuantizedLayout.TileRows) + pair, a4, a5);
        Store(sums + (3 * QuantizedLayout.TileRows) + pair, a6, a7);
    }

    /// <summary>256 bytes: reads of 256 bytes, 512 bytes apart, are what no hardware foresees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* address)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0(address);
        Sse.Prefetch0(address + 64);
        Sse.Prefetch0(address + 128);
        Sse.Prefetch0(address + 192);
    }

    /// <summary>The activations' scales of a tile, for 16 sums. Put together from halves, each would wait for the one before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Scales(float* scales, int tile)
    {
        var four = scales + (tile * QuantizedInput.TileScales);
        return Avx512F.IsSupported
            ? Avx512F.BroadcastVector128ToVector512(four)
            : Vector512.Create(Vector256.Create(Vector128.Load(four)));
    }

    /// <summary>A group's scales of the sums of the row at <paramref name="scales"/>; for int8 also of the row 8 further, in turn.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<float> LowerScale(float* scales)
    {
        var own = Vector512.Create(scales[0]);
        if (TCode.Bits == 8)
            return Vector512.ConditionalSelect(EvenLanes, own, Vector512.Create(scales[Pairs]));
        // Where a tile has two groups, its second half of steps belongs to the next.
        return input.GroupsPerTile == 1 ? own : Vector512.ConditionalSelect(FirstSteps, own, Vector512.Create(scales[QuantizedLayout.TileRows]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<float> UpperScale(float* scales)
    {
        var own = Vector512.Create(scales[Pairs]);
        return input.GroupsPerTile == 1 ? own : Vector512.ConditionalSelect(FirstSteps, own, Vector512.Create(scales[QuantizedLayout.TileRows + Pairs]));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Store(float* sums, Vector512<float> lower, Vector512<float> upper)
    {
        var isInt8 = TCode.Bits == 8;
        sums[0] = Vector512.Sum(isInt8 ? Vector512.ConditionalSelect(EvenLanes, lower, Vector512<float>.Zero) : lower);
        sums[Pairs] = Vector512.Sum(isInt8 ? Vector512.ConditionalSelect(EvenLanes, Vector512<float>.Zero, lower) : upper);
    }

    private void Write(in MatMulArguments arguments, int token, int firstRow, int endRow, float* sums, float* corrections)
    {
        var groupSums = input.Sums(Row(arguments, token));
        var zero = Vector512<float>.Zero;
        for (var group = 0; group < layout.Groups; group++)
            zero = Vector512.MultiplyAddEstimate(Vector512.Load(corrections + (group * QuantizedLayout.TileRows)), Vector512.Create(groupSums[group]), zero);
        var y = arguments.Y + (token * arguments.YStride);
        for (var row = firstRow; row < endRow; row++)
        {
            var i = row % QuantizedLayout.TileRows;
            var value = sums[i] - zero[i] + (arguments.Bias == null ? 0 : arguments.Bias[row]);
            y[row] = arguments.Accumulate ? y[row] + value : value;
        }
    }

    private static Vector512<float> EvenLanes => Vector512.Create(0xFFFFFFFFL).AsSingle();

    // Lane 4t + s holds columns of step s.
    private static Vector512<float> FirstSteps =>
        Vector512.Create(-1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0).AsSingle();
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Weights;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>
/// For AVX-512, whose vectors are 64 bytes. For many tokens the codes of sixteen rows are spread once, one to a byte, so that a vector holds four columns of each row: a lane of the sums is
/// a row, and nothing is added up across lanes. One or two tokens take the tile as it lies, where a vector holds two rows: four such vectors are added up to one, whose lane 4 · row + step is a step of one of four rows.
/// Both scale the same integers in the same order, so that a token's numbers do not depend on how many there are: within a group each of a tile's steps is summed by itself, with
/// the activations' scales; then the steps, less what the zero point adds, with the weights'. Where a tile has two groups, those of first halves and of second halves are summed apart.
/// </summary>
/// <remarks>.NET has no 512-bit VNNI. Products of a code of 4 bits with a byte are summed in 16 bits instead: eight of them, at most 8 · 15 · 127.</remarks>
internal sealed unsafe class WideQuantizedMatMulKernel<TCode>(QuantizedLayout layout, ByteInput input) : ByteMatMulKernel(layout, input)
    where TCode : struct, IWideCode
{
    /// <summary>Bytes of a tile whose codes are spread.</summary>
    public const int SpreadBytes = 2 * QuantizedLayout.TileBytes;

    private const int Rows = QuantizedLayout.TileRows;
    private const int Ahead = 4096; // bytes of tiles, which one token reads front to back

    // To spread a tile takes as long as to multiply it with two tokens.
    private const int FewestSpread = 3;

    private static int StepValues => ByteInput.TileScales / TCode.Steps;

    /// <inheritdoc/>
    protected override void Begin(byte* tiles, byte* codes, int count)
    {
        if (count < FewestSpread)
            return;
        for (var tile = 0; tile < Layout.ColumnTiles; tile++)
            Spread(tiles + ((nint)tile * QuantizedLayout.TileBytes), codes + ((nint)tile * SpreadBytes));
    }

    /// <inheritdoc/>
    protected override void Multiply(byte* tiles, byte* codes, byte* rows, int count, float* scales, float* zeros, float* sums)
    {
        if (count >= FewestSpread)
        {
            MultiplyFour(tiles + ((nint)Layout.ColumnTiles * QuantizedLayout.TileBytes), codes, rows, count, scales, zeros, sums);
            return;
        }

        for (var token = 0; token < count; token++)
            MultiplyTiles(tiles, rows + ((nint)token * Input.Bytes), scales, zeros, sums + (token * Rows));
    }

    /// <summary>A tile's codes, [step, four columns, row, column], as bytes.</summary>
    [MethodImpl(Hot.Path)]
    public static void Spread(byte* tile, byte* codes)
    {
        // Each row pair is [four columns of a step, part of the tile]; of four pairs that becomes [part][pair].
        var (t0, t1, t2, t3) = Turn((int*)tile);
        var (u0, u1, u2, u3) = Turn((int*)tile + (4 * Vector512<int>.Count));
        SpreadPart(t0, u0, codes, 0);
        SpreadPart(t1, u1, codes, 1);
        SpreadPart(t2, u2, codes, 2);
        SpreadPart(t3, u3, codes, 3);
    }

    /// <summary>Four row pairs of [four columns of a step, part of the tile] by parts: of each [four columns, pair].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<int> A, Vector512<int> B, Vector512<int> C, Vector512<int> D) Turn(int* pairs)
    {
        var (p0, p1, p2, p3) = (Vector512.Load(pairs), Vector512.Load(pairs + 16), Vector512.Load(pairs + 32), Vector512.Load(pairs + 48));
        var (a, b) = (Avx512F.UnpackLow(p0, p1).AsInt64(), Avx512F.UnpackLow(p2, p3).AsInt64());
        var (c, d) = (Avx512F.UnpackHigh(p0, p1).AsInt64(), Avx512F.UnpackHigh(p2, p3).AsInt64());
        return (Avx512F.UnpackLow(a, b).AsInt32(), Avx512F.UnpackHigh(a, b).AsInt32(), Avx512F.UnpackLow(c, d).AsInt32(), Avx512F.UnpackHigh(c, d).AsInt32());
    }

    /// <summary>A part of each of eight pairs, four by four columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SpreadPart(Vector512<int> firstPairs, Vector512<int> lastPairs, byte* codes, int part)
    {
        var first = Avx512F.PermuteVar8x64x2(firstPairs.AsInt64(), Vector512.Create(0, 1, 8, 9, 2, 3, 10, 11), lastPairs.AsInt64()).AsByte();
        var second = Avx512F.PermuteVar8x64x2(firstPairs.AsInt64(), Vector512.Create(4, 5, 12, 13, 6, 7, 14, 15), lastPairs.AsInt64()).AsByte();
        Store(first, codes + TCode.Place(part));
        Store(second, codes + TCode.Place(part) + (2 * ByteInput.VectorBytes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<byte> bytes, byte* codes)
    {
        var (low, high) = (Int4Code.Low(bytes), Int4Code.High(bytes));
        low.GetLower().Store(codes);
        high.GetLower().Store(codes + TCode.HighDistance);
        low.GetUpper().Store(codes + ByteInput.VectorBytes);
        high.GetUpper().Store(codes + ByteInput.VectorBytes + TCode.HighDistance);
    }

    /// <summary>One token, tile by tile as they lie.</summary>
    [MethodImpl(Hot.Path)]
    private void MultiplyTiles(byte* tiles, byte* row, float* scales, float* zeros, float* sums)
    {
        var values = ByteInput.Values(row);
        var x = Input.Scales(row);
        var groupSums = Input.Sums(row);
        // Four rows each for int4; for int8 eight, in the order of pairs.
        Vector512<float> a = default, b = default, c = default, d = default;
        var (tile, count, ofGroup, groupsEach) = (0, Layout.ColumnTiles, Input.TilesPerGroup, Input.GroupsPerTile);
        for (var group = 0; tile < count; group += groupsEach)
        {
            Vector512<float> p = default, q = default, r = default, s = default;
            for (var end = Math.Min(tile + ofGroup, count); tile < end; tile++)
            {
                Prefetch(tiles + Ahead);
                var (v, scale) = (Vector512.Load(values), Avx512F.BroadcastVector128ToVector512(x));
                p = Add(p, TCode.Dot(tiles, v, isUpper: false), scale);
                q = Add(q, TCode.Dot(tiles + (QuantizedLayout.TileBytes / 2), v, isUpper: false), scale);
                if (TCode.Steps == 4)
                {
                    r = Add(r, TCode.Dot(tiles, v, isUpper: true), scale);
                    s = Add(s, TCode.Dot(tiles + (QuantizedLayout.TileBytes / 2), v, isUpper: true), scale);
                }

                tiles += QuantizedLayout.TileBytes;
                values += ByteInput.VectorBytes;
                x += ByteInput.TileScales;
            }

            var (first, second) = (Group(scales, group), groupsEach == 1 ? Group(scales, group) : Group(scales, group + 1));
            var (zero, nextZero) = (Group(zeros, group), groupsEach == 1 ? Group(zeros, group) : Group(zeros, group + 1));
            var of = Vector512.Create(groupSums[group]);
            if (groupsEach > 1 && group + 1 < Layout.Groups)
                of = Vector512.ConditionalSelect(FirstSteps, of, Vector512.Create(groupSums[group + 1]));
            a = Add(a, p, first, second, zero, nextZero, of, 0);
            b = Add(b, q, first, second, zero, nextZero, of, 1);
            if (TCode.Steps == 4)
            {
                c = Add(c, r, first, second, zero, nextZero, of, 2);
                d = Add(d, s, first, second, zero, nextZero, of, 3);
            }
        }

        var lanes = stackalloc float[4 * Vector512<float>.Count];
        a.Store(lanes);
        b.Store(lanes + 16);
        c.Store(lanes + 32);
        d.Store(lanes + 48);
        for (var i = 0; i < Rows; i++)
            sums[i] = TCode.Steps == 2 ? lanes[(i % 8 * 4) + (i / 8)] : groupsEach == 1 ? lanes[i * 4] : lanes[i * 4] + lanes[(i * 4) + 2];
    }

    /// <summary>Three or four tokens, of three the last twice, with codes that were spread.</summary>
    [MethodImpl(Hot.Path)]
    private void MultiplyFour(byte* next, byte* codes, byte* row, int tokens, float* scales, float* zeros, float* sums)
    {
        byte* r0 = row, r1 = row + Input.Bytes, r2 = row + (2 * Input.Bytes), r3 = row + ((tokens - 1) * Input.Bytes);
        float* x0 = Input.Scales(r0), x1 = Input.Scales(r1), x2 = Input.Scales(r2), x3 = Input.Scales(r3);
        float* g0 = Input.Sums(r0), g1 = Input.Sums(r1), g2 = Input.Sums(r2), g3 = Input.Sums(r3);
        Vector512<float> a = default, b = default, c = default, d = default, otherA = default, otherB = default, otherC = default, otherD = default;
        var (tile, count, ofGroup, groupsEach) = (0, Layout.ColumnTiles, Input.TilesPerGroup, Input.GroupsPerTile);
        for (var group = 0; tile < count; group += groupsEach)
        {
            Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
            Vector512<float> c0 = default, c1 = default, c2 = default, c3 = default, d0 = default, d1 = default, d2 = default, d3 = default;
            for (var end = Math.Min(tile + ofGroup, count); tile < end; tile++)
            {
                var (v, s) = ((nint)tile * ByteInput.VectorBytes, (nint)tile * ByteInput.TileScales);
                Prefetch(next);
                a0 = AddStep(a0, codes, (sbyte*)r0 + v, 0, x0 + s);
                b0 = AddStep(b0, codes, (sbyte*)r1 + v, 0, x1 + s);
                c0 = AddStep(c0, codes, (sbyte*)r2 + v, 0, x2 + s);
                d0 = AddStep(d0, codes, (sbyte*)r3 + v, 0, x3 + s);
                a1 = AddStep(a1, codes, (sbyte*)r0 + v, 1, x0 + s);
                b1 = AddStep(b1, codes, (sbyte*)r1 + v, 1, x1 + s);
                c1 = AddStep(c1, codes, (sbyte*)r2 + v, 1, x2 + s);
                d1 = AddStep(d1, codes, (sbyte*)r3 + v, 1, x3 + s);
                if (TCode.Steps == 4)
                {
                    a2 = AddStep(a2, codes, (sbyte*)r0 + v, 2, x0 + s);
                    b2 = AddStep(b2, codes, (sbyte*)r1 + v, 2, x1 + s);
                    c2 = AddStep(c2, codes, (sbyte*)r2 + v, 2, x2 + s);
                    d2 = AddStep(d2, codes, (sbyte*)r3 + v, 2, x3 + s);
                    a3 = AddStep(a3, codes, (sbyte*)r0 + v, 3, x0 + s);
                    b3 = AddStep(b3, codes, (sbyte*)r1 + v, 3, x1 + s);
                    c3 = AddStep(c3, codes, (sbyte*)r2 + v, 3, x2 + s);
                    d3 = AddStep(d3, codes, (sbyte*)r3 + v, 3, x3 + s);
                }

                next += QuantizedLayout.TileBytes;
                codes += SpreadBytes;
            }

            var (first, zero) = (Group(scales, group), Group(zeros, group));
            if (groupsEach == 1)
            {
                a = Add(a, TCode.Steps == 4 ? a0 + a1 + (a2 + a3) : a0 + a1, first, zero, g0[group]);
                b = Add(b, TCode.Steps == 4 ? b0 + b1 + (b2 + b3) : b0 + b1, first, zero, g1[group]);
                c = Add(c, TCode.Steps == 4 ? c0 + c1 + (c2 + c3) : c0 + c1, first, zero, g2[group]);
                d = Add(d, TCode.Steps == 4 ? d0 + d1 + (d2 + d3) : d0 + d1, first, zero, g3[group]);
                continue;
            }

            a = Add(a, a0 + a1, first, zero, g0[group]);
            b = Add(b, b0 + b1, first, zero, g1[group]);
            c = Add(c, c0 + c1, first, zero, g2[group]);
            d = Add(d, d0 + d1, first, zero, g3[group]);
            if (group + 1 == Layout.Groups)
                continue; // the last tile is half
            (first, zero) = (Group(scales, group + 1), Group(zeros, group + 1));
            otherA = Add(otherA, a2 + a3, first, zero, g0[group + 1]);
            otherB = Add(otherB, b2 + b3, first, zero, g1[group + 1]);
            otherC = Add(otherC, c2 + c3, first, zero, g2[group + 1]);
            otherD = Add(otherD, d2 + d3, first, zero, g3[group + 1]);
        }

        (a + otherA).Store(sums);
        (b + otherB).Store(sums + Rows);
        (c + otherC).Store(sums + (2 * Rows));
        (d + otherD).Store(sums + (3 * Rows));
    }

    /// <summary>Adds the products of a step of a tile that was spread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> AddStep(Vector512<float> sum, byte* codes, sbyte* values, int step, float* scales) =>
        Add(sum, TCode.Dot(codes + (step * (SpreadBytes / TCode.Steps)), (int*)values + (step * StepValues)), Vector512.Create(scales[step * StepValues]));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Add(Vector512<float> sum, Vector512<int> dot, Vector512<float> scale) => Vector512.MultiplyAddEstimate(Vector512.ConvertToSingle(dot), scale, sum);

    /// <summary>Adds a group's sums of sixteen rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Add(Vector512<float> sum, Vector512<float> steps, Vector512<float> scale, Vector512<float> zero, float groupSum) =>
        Vector512.MultiplyAddEstimate(Vector512.MultiplyAddEstimate(-zero, Vector512.Create(groupSum), steps), scale, sum);

    /// <summary>Adds a group's sums, whose lanes are steps of four rows or of four pairs of rows, to each lane of theirs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<float> Add(
        Vector512<float> sum, Vector512<float> steps, Vector512<float> scale, Vector512<float> nextScale, Vector512<float> zero, Vector512<float> nextZero, Vector512<float> groupSums, int part)
    {
        const byte Neighbours = 0b10_11_00_01;
        const byte Halves = 0b01_00_11_10;
        if (TCode.Steps == 4)
            steps += Avx512F.Permute4x32(steps, Neighbours);
        if (Input.GroupsPerTile == 1)
            steps += Avx512F.Permute4x32(steps, Halves);
        var lanes = TCode.Lanes + Vector512.Create(part * 4);
        // Without zero points all are the same.
        zero = Layout.Quantization.ZeroPoints ? Avx512F.PermuteVar16x32x2(zero, lanes, nextZero) : zero;
        return Vector512.MultiplyAddEstimate(Vector512.MultiplyAddEstimate(-zero, groupSums, steps), Avx512F.PermuteVar16x32x2(scale, lanes, nextScale), sum);
    }

    /// <summary>[16] of a group, zeros beyond the last: a tile with two may be half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector512<float> Group(float* values, int group) => group < Layout.Groups ? Vector512.Load(values + ((nint)group * Rows)) : default;

    /// <summary>A tile that will be read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* tile)
    {
        for (var line = 0; line < QuantizedLayout.TileBytes; line += 64)
            Sse.Prefetch0(tile + line);
    }
}

/// <summary>How codes lie in tiles and where they are spread, and how they are multiplied.</summary>
internal unsafe interface IWideCode
{
    /// <summary>Steps of sixteen columns in a tile.</summary>
    static abstract int Steps { get; }

    /// <summary>The row of each lane of <see cref="Dot(byte*, Vector512{sbyte}, bool)"/>, of the first four rows or pairs of rows; 16 more in the second half of a tile of four steps.</summary>
    static abstract Vector512<int> Lanes { get; }

    /// <summary>From where low halves of bytes are spread to the place of the high ones.</summary>
    static abstract int HighDistance { get; }

    /// <summary>Where a part of each pair of rows is spread, one of the four that a tile has.</summary>
    static abstract int Place(int part);

    /// <summary>Sums over a step of sixteen rows.</summary>
    /// <param name="codes">Of the step, spread.</param>
    /// <param name="values">Four columns at 0, 4, 8 and 12.</param>
    static abstract Vector512<int> Dot(byte* codes, int* values);

    /// <summary>Sums over steps: for int4 of four rows, the four steps of each; for int8 of four pairs, of each step both rows.</summary>
    /// <param name="pairs">[4, 64] of a tile.</param>
    /// <param name="values">Of the tile.</param>
    /// <param name="isUpper">For int4, which row of each pair.</param>
    static abstract Vector512<int> Dot(byte* pairs, Vector512<sbyte> values, bool isUpper);
}

/// <summary>Spread as [step, four columns, row]: the high halves are the rows 8 further.</summary>
internal readonly unsafe struct WideInt4Code : IWideCode
{
    public static int Steps => 4;

    public static Vector512<int> Lanes => Vector512.Create(0, 0, 16, 16, 1, 1, 17, 17, 2, 2, 18, 18, 3, 3, 19, 19);

    public static int HighDistance => ByteInput.VectorBytes / 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place(int part) => part * 4 * ByteInput.VectorBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Dot(byte* codes, int* values) => Avx512BW.MultiplyAddAdjacent(Sums(codes, values), Vector512<short>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Dot(byte* pairs, Vector512<sbyte> values, bool isUpper) => Avx512BW.MultiplyAddAdjacent(Sums(pairs, values, isUpper), Vector512<short>.One);

    /// <summary>Two sums of eight products a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> Sums(byte* codes, int* values) => Products(codes, values, 0) + Products(codes, values, 1) + (Products(codes, values, 2) + Products(codes, values, 3));

    /// <summary>Of four vectors the sums of each one's quarters, of products of one half of each byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<short> Sums(byte* pairs, Vector512<sbyte> values, bool isHigh) => Fold(
        Fold(Products(pairs, values, isHigh), Products(pairs + ByteInput.VectorBytes, values, isHigh)),
        Fold(Products(pairs + (2 * ByteInput.VectorBytes), values, isHigh), Products(pairs + (3 * ByteInput.VectorBytes), values, isHigh)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Products(byte* codes, int* values, int columns) =>
        Avx512BW.MultiplyAddAdjacent(Vector512.Load(codes + (columns * ByteInput.VectorBytes)), Vector512.Create(values[4 * columns]).AsSByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Products(byte* pair, Vector512<sbyte> values, bool isHigh) =>
        Avx512BW.MultiplyAddAdjacent(isHigh ? Int4Code.High(Vector512.Load(pair)) : Int4Code.Low(Vector512.Load(pair)), values);

    /// <summary>Neighbouring quarters added: of the first vector, then of the second.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Fold(Vector512<short> a, Vector512<short> b)
    {
        const byte Even = 0b10_00_10_00;
        const byte Odd = 0b11_01_11_01;
        return Avx512F.Shuffle4x128(a.AsInt32(), b.AsInt32(), Even).AsInt16() + Avx512F.Shuffle4x128(a.AsInt32(), b.AsInt32(), Odd).AsInt16();
    }
}

/// <summary>Spread as [step, half of a byte, four columns, row]: a part is a step of the rows of one half of the tile.</summary>
internal readonly unsafe struct WideInt8Code : IWideCode
{
    private const short HighFactor = 16;

    public static int Steps => 2;

    public static Vector512<int> Lanes => Vector512.Create(0, 8, 0, 8, 1, 9, 1, 9, 2, 10, 2, 10, 3, 11, 3, 11);

    public static int HighDistance => 4 * ByteInput.VectorBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place(int part) => (part / 2 * 8 * ByteInput.VectorBytes) + (part % 2 * ByteInput.VectorBytes / 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Dot(byte* codes, int* values) => Joined(WideInt4Code.Sums(codes, values), WideInt4Code.Sums(codes + HighDistance, values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Dot(byte* pairs, Vector512<sbyte> values, bool isUpper) => Joined(WideInt4Code.Sums(pairs, values, isHigh: false), WideInt4Code.Sums(pairs, values, isHigh: true));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Joined(Vector512<short> low, Vector512<short> high) =>
        Avx512BW.MultiplyAddAdjacent(low, Vector512<short>.One) + Avx512BW.MultiplyAddAdjacent(high, Vector512.Create(HighFactor));
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.MatMul;

/// <summary>
/// Drives <see cref="Tile{TSimd, TVector, TWeights}"/> over a range of rows: K in chunks, tokens in groups of eight, six, three or one. With
/// many tokens a thread packs its own activations, so that no barrier stands between packing and product.
/// </summary>
internal sealed unsafe class MatMulKernel<TSimd, TVector, TWeights> : MatMulKernel
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TWeights : struct, IWeightFormat
{
    private const int Rows = 4;

    // Bytes between reading and prefetching for a single token: far enough to hide the memory's latency, near enough that packed
    // activations of a wide product stay in L1 beside it (4 and 12 KiB were slower).
    private const int Ahead = 8192;

    private MatMulKernel()
    {
    }

    public static MatMulKernel Instance { get; } = new MatMulKernel<TSimd, TVector, TWeights>();

    /// <inheritdoc/>
    public override void Pack(in MatMulArguments arguments, float* packed)
    {
        for (int token = 0, group; token < arguments.N; token += group)
        {
            group = GroupSize(arguments.N - token);
            Pack(arguments, token, group, 0, arguments.K, packed + PackedOffset(arguments, token, group, 0));
        }
    }

    /// <inheritdoc/>
    [MethodImpl(Hot.Path)]
    public override void Run(in MatMulArguments arguments, int firstRow, int endRow, float* scratch)
    {
        var few = arguments.N <= FewTokens;
        var chunk = ChunkSize(arguments.K);
        if (arguments.N == 1 && arguments.K <= chunk && arguments.K % (2 * TSimd.Width) == 0)
            firstRow = RunShortRows(arguments, firstRow, endRow);
        for (var row = firstRow; row < endRow;)
        {
            if (arguments.N == 1 && endRow - row >= Rows)
            {
                RunOneToken(arguments, row);
                row += Rows;
                continue;
            }

            var end = Math.Min(row + (few ? Rows : TWeights.IsDear ? DecodedRows : RowBlock), endRow);
            for (var k = 0; k < arguments.K; k += chunk)
                RunChunk(arguments, row, end, k, Math.Min(chunk, arguments.K - k), few, scratch);
            row = end;
        }
    }

    /// <summary>Whole groups of four rows of one chunk each, one token; returns the first row that is left.</summary>
    private static int RunShortRows(in MatMulArguments arguments, int firstRow, int endRow)
    {
        var groups = (endRow - firstRow) / Rows;
        Tile<TSimd, TVector, TWeights>.ShortRows(
            arguments.W + ((nint)firstRow * arguments.K * TWeights.ElementSize),
            (nint)arguments.K * TWeights.ElementSize,
            groups,
            arguments.PackedX,
            arguments.Y + firstRow,
            arguments.Bias == null ? null : arguments.Bias + firstRow,
            arguments.Accumulate,
            Ahead);
        return firstRow + (groups * Rows);
    }

    /// <summary>
    /// Four rows, one token. The rows are one stretch of memory; their chunks are taken two at a time in the order in which they lie
    /// there, and everything further on is prefetched in that order too. Short chunks at the ends of the rows come last.
    /// </summary>
    [MethodImpl(Hot.Path)]
    private static void RunOneToken(in MatMulArguments arguments, int row)
    {
        var sums = stackalloc float[Rows];
        var size = ChunkSize(arguments.K);
        var chunkBytes = size * TWeights.ElementSize;
        var chunks = arguments.K / size;
        var rowBytes = (nint)arguments.K * TWeights.ElementSize;
        var w = arguments.W + (row * rowBytes);
        var line = w + Ahead;
        var (r, c) = (0, 0);
        for (var i = 0; i < Rows * chunks; i += 2)
        {
            var (r0, c0) = Next(ref r, ref c, chunks);
            var (r1, c1) = Next(ref r, ref c, chunks);
            line = Tile<TSimd, TVector, TWeights>.Token1(
                w + (r0 * rowBytes) + (c0 * chunkBytes),
                w + (r1 * rowBytes) + (c1 * chunkBytes),
                arguments.PackedX + (c0 * size),
                arguments.PackedX + (c1 * size),
                chunkBytes,
                sums,
                line);
            Write(arguments, row + r0, 1, 0, 1, c0 == 0, sums);
            Write(arguments, row + r1, 1, 0, 1, c1 == 0, sums + 1);
        }

        var done = chunks * size;
        if (done == arguments.K)
            return;
        var ahead = new Prefetch(line, 2 * TSimd.Width * TWeights.ElementSize, Rows);
        RunTile(arguments, row, row + Rows, 0, 1, done, arguments.K - done, arguments.PackedX + done, ahead);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (int Row, int Chunk) Next(ref int row, ref int chunk, int chunks)
    {
        var now = (row, chunk);
        if (++chunk == chunks)
        {
            chunk = 0;
            row++;
        }

        return now;
    }

    [MethodImpl(Hot.Path)]
    private static void RunChunk(in MatMulArguments arguments, int row, int end, int k, int length, bool few, float* scratch)
    {
        if (TWeights.IsDear && !few && length % (2 * TSimd.Width) == 0)
        {
            RunDecoded(arguments, row, end, k, length, scratch);
            return;
        }

        var rowBytes = (nint)arguments.K * TWeights.ElementSize;
        for (int token = 0, group; token < arguments.N; token += group)
        {
            group = GroupSize(arguments.N - token);
            var x = few ? arguments.PackedX + PackedOffset(arguments, token, group, k) : scratch;
            if (!few)
                Pack(arguments, token, group, k, length, scratch);
            for (var r = row; r < end; r += Rows)
            {
                // While four whole rows pass once, the next four are one stretch of memory and are asked for front to back; in a block
                // of rows that passes many times, the next tile is in L2 and is asked for as it will be read.
                var next = arguments.W + ((r + Rows) * rowBytes);
                var ahead = few
                    ? new Prefetch(next + (Rows * k * TWeights.ElementSize), 2 * TSimd.Width * TWeights.ElementSize, Rows)
                    : new Prefetch(next + (k * TWeights.ElementSize), rowBytes, 1);
                RunTile(arguments, r, end, token, group, k, length, x, ahead);
            }
        }
    }

    /// <summary>A chunk of many tokens with weights that are made into numbers first, in the order in which the format gives them, so that sums are formed as elsewhere.</summary>
    [MethodImpl(Hot.Path)]
    private static void RunDecoded(in MatMulArguments arguments, int row, int end, int k, int length, float* scratch)
    {
        var numbers = scratch + PackedFloats(MaxChunk);
        for (var r = row; r < end; r++)
        {
            var source = arguments.W + ((((nint)r * arguments.K) + k) * TWeights.ElementSize);
            var target = numbers + ((nint)(r - row) * length);
            for (var i = 0; i < length; i += 2 * TSimd.Width, source += 2 * TSimd.Width * TWeights.ElementSize, target += 2 * TSimd.Width)
            {
                TSimd.Store(target, TWeights.First<TSimd, TVector>(source));
                TSimd.Store(target + TSimd.Width, TWeights.Second<TSimd, TVector>(source));
            }
        }

        var sums = stackalloc float[8 * Rows];
        for (int token = 0, group; token < arguments.N; token += group)
        {
            group = GroupSize(arguments.N - token);
            Pack(arguments, token, group, k, length, scratch);
            for (var r = row; r < end; r += Rows)
            {
                var rows = Math.Min(Rows, end - r);
                var w = numbers + ((nint)(r - row) * length);
                MatMulKernel<TSimd, TVector, Float32Weights>.Multiply(
                    group, (byte*)w, (byte*)(w + (Math.Min(1, rows - 1) * length)), (byte*)(w + (Math.Min(2, rows - 1) * length)), (byte*)(w + (Math.Min(3, rows - 1) * length)),
                    scratch, length / (2 * TSimd.Width), sums, new Prefetch((byte*)(w + (Rows * length)), length * sizeof(float), 1));
                Write(arguments, r, rows, token, group, k == 0, sums);
            }
        }
    }

    // Six where there are many; for the last ones a tile that is not full takes less time than two smaller ones, which wait for their sums.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int GroupSize(int tokens)
    {
        if (TSimd.TokensPerTile >= 6 && tokens >= 5)
            return tokens is 7 or 8 or (>= 13 and <= 16) ? 8 : 6;
        return tokens >= 2 ? 3 : 1;
    }

    /// <summary>K rounded up to whole steps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Padded(int length) => (length + (2 * TSimd.Width) - 1) / (2 * TSimd.Width) * (2 * TSimd.Width);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint PackedOffset(in MatMulArguments arguments, int token, int group, int k) =>
        ((nint)token * Padded(arguments.K)) + ((nint)group * k);

    /// <summary>
    /// Lays out [group tokens, length] as [step][token][2·Width] in the weight format's order; the last step is padded with zeros, and tokens that
    /// a group lacks are zeros.
    /// </summary>
    [MethodImpl(Hot.Path)]
    private static void Pack(in MatMulArguments arguments, int token, int group, int k, int length, float* packed)
    {
        var step = 2 * TSimd.Width;
        var tail = stackalloc float[step];
        for (var t = 0; t < group; t++)
        {
            var source = arguments.X + ((token + t) * arguments.XStride) + k;
            var destination = packed + (t * step);
            var i = 0;
            if (token + t >= arguments.N)
            {
                for (; i < length; i += step, destination += group * step)
                    new Span<float>(destination, step).Clear();
                continue;
            }

            for (; i + step <= length; i += step, destination += group * step)
                TWeights.Pack<TSimd, TVector>(source + i, destination);
            if (i == length)
                continue;
            new Span<float>(tail, step).Clear();
            new Span<float>(source + i, length - i).CopyTo(new Span<float>(tail, step));
            TWeights.Pack<TSimd, TVector>(tail, destination);
        }
    }

    [MethodImpl(Hot.Path)]
    private static void RunTile(
        in MatMulArguments arguments, int row, int end, int token, int group, int k, int length, float* x, in Prefetch ahead)
    {
        var sums = stackalloc float[8 * Rows];
        var rowBytes = (nint)arguments.K * TWeights.ElementSize;
        var w = arguments.W + (row * rowBytes) + (k * TWeights.ElementSize);
        // Beyond the last row the tile reads that row again; the sums are dropped.
        var rows = Math.Min(Rows, end - row);
        var w1 = w + (Math.Min(1, rows - 1) * rowBytes);
        var w2 = w + (Math.Min(2, rows - 1) * rowBytes);
        var w3 = w + (Math.Min(3, rows - 1) * rowBytes);
        var steps = length / (2 * TSimd.Width);
        Multiply(group, w, w1, w2, w3, x, steps, sums, ahead);
        Write(arguments, row, rows, token, group, k == 0, sums);

        var done = steps * 2 * TSimd.Width;
        if (done == length)
            return;
        // A row may end where the file ends: the last elements are copied before whole registers are read.
        var size = 2 * TSimd.Width * TWeights.ElementSize;
        var tail = stackalloc byte[Rows * size];
        new Span<byte>(tail, Rows * size).Clear();
        var bytes = (length - done) * TWeights.ElementSize;
        var offset = done * TWeights.ElementSize;
        Buffer.MemoryCopy(w + offset, tail, size, bytes);
        Buffer.MemoryCopy(w1 + offset, tail + size, size, bytes);
        Buffer.MemoryCopy(w2 + offset, tail + (2 * size), size, bytes);
        Buffer.MemoryCopy(w3 + offset, tail + (3 * size), size, bytes);
        var tailX = x + ((nint)group * done);
        Multiply(group, tail, tail + size, tail + (2 * size), tail + (3 * size), tailX, 1, sums, new Prefetch(tail, 0, 0));
        Write(arguments, row, rows, token, group, first: false, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(int group, byte* w0, byte* w1, byte* w2, byte* w3, float* x, int steps, float* sums, in Prefetch ahead)
    {
        if (group == 8)
            Tile<TSimd, TVector, TWeights>.Tokens8(w0, w1, w2, w3, x, steps, sums, ahead);
        else if (group == 6)
            Tile<TSimd, TVector, TWeights>.Tokens6(w0, w1, w2, w3, x, steps, sums, ahead);
        else if (group == 3)
            Tile<TSimd, TVector, TWeights>.Tokens3(w0, w1, w2, w3, x, steps, sums, ahead);
        else
            Tile<TSimd, TVector, TWeights>.Tokens1(w0, w1, w2, w3, x, steps, sums, ahead);
    }

    /// <summary>Adds sums [token][4] to the output, or puts them there with the bias when they are the first of their row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(in MatMulArguments arguments, int row, int rows, int token, int group, bool first, float* sums)
    {
        var add = !first || arguments.Accumulate;
        for (var t = 0; t < group && token + t < arguments.N; t++, sums += Rows)
        {
            var y = arguments.Y + ((token + t) * arguments.YStride) + row;
            if (rows == Rows)
            {
                var value = Vector128.Load(sums);
                if (add)
                    value += Vector128.Load(y);
                if (first && arguments.Bias != null)
                    value += Vector128.Load(arguments.Bias + row);
                value.Store(y);
                continue;
            }

            for (var r = 0; r < rows; r++)
            {
                var value = sums[r];
                if (add)
                    value += y[r];
                if (first && arguments.Bias != null)
                    value += arguments.Bias[row + r];
                y[r] = value;
            }
        }
    }
}

using System.Numerics;
using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.Attention;

/// <summary>
/// One layer's cache and one step's queries, as the kernel sees them. A block holds 16 tokens; keys lie as [block, G, D, 16] and values
/// as [block, G, 16, paddedD], so that scores of 16 keys and stretches of a value are both whole registers and nothing is transposed
/// at reading time. Where values are a part of the keys, both are the same rows [block, G, 16, paddedD].
/// </summary>
internal unsafe struct AttentionArguments
{
    public float* Queries;
    public nint QueryStride;
    public float* Y;
    public nint YStride;
    public byte* Keys;
    public byte* Values;

    /// <summary>Keys are the rows of <see cref="Values"/>, and values their last elements.</summary>
    public bool ValuesInKeys;

    /// <summary>[N] positions of the step's tokens.</summary>
    public int* Positions;

    /// <summary>H.</summary>
    public int QueryHeads;

    /// <summary>G.</summary>
    public int KeyValueHeads;

    /// <summary>D.</summary>
    public int HeadSize;

    /// <summary>Elements of a value; D where keys are not values.</summary>
    public int ValueSize;
    public float Scale;

    /// <summary>Positions from which on scores grow by the logarithm of the length; int.MaxValue for never.</summary>
    public int LogScaleFrom;

    /// <summary>Keys that a query sees, itself included; int.MaxValue for all.</summary>
    public int Window;

    /// <summary>[H] factors on a key's distance, or null.</summary>
    public float* Slopes;

    /// <summary>[H, 2 · <see cref="MaxDistance"/> + 1] what is added to a score by the distance of its key, or null.</summary>
    public float* Distances;

    /// <summary>Farther keys count as being so far away.</summary>
    public int MaxDistance;

    /// <summary>Cap of the scores; 0 for none.</summary>
    public float SoftCap;

    /// <summary>[H] scores for attending to nothing, or null.</summary>
    public float* Sinks;
}

internal static class AttentionKernel
{
    /// <summary>Tokens in a cache block.</summary>
    public const int BlockSize = KvCache.BlockPool.BlockSize;

    /// <summary>
    /// Keys between two rescalings of the running softmax. Groups start at multiples of it in every step, so that a token's result does
    /// not depend on how the prompt was cut into chunks.
    /// </summary>
    public const int KeysPerGroup = 64;

    /// <summary>Rows (tokens × query heads of one key/value head) that share a pass over the cache.</summary>
    public const int TileRows = 8;

    /// <summary>D rounded up to whole registers of the widest kind.</summary>
    public static int PaddedHeadSize(int headSize) => (headSize + 15) / 16 * 16;

    /// <summary>Scratch floats that a thread needs.</summary>
    public static int ScratchFloats(int headSize) => TileRows * ((2 * PaddedHeadSize(headSize)) + KeysPerGroup + 2);
}

/// <summary>
/// Causal attention over the paged cache with an online softmax (Dao et al. 2022, arXiv 2205.14135): one pass over the keys in groups,
/// running maximum and sum per row, output rescaled when the maximum moves. Prefill and decode are the same code.
/// </summary>
internal static unsafe class AttentionKernel<TSimd, TVector, TCache>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    private const int BlockSize = AttentionKernel.BlockSize;
    private const int Group = AttentionKernel.KeysPerGroup;

    /// <summary>Attends with some query heads of key/value head <paramref name="head"/> for the tokens [<paramref name="firstToken"/>, <paramref name="endToken"/>).</summary>
    /// <param name="arguments">Layer and step.</param>
    /// <param name="blocks">Cache blocks of the tokens' sequence.</param>
    /// <param name="head">Key/value head.</param>
    /// <param name="firstHead">First of the query heads.</param>
    /// <param name="heads">How many.</param>
    /// <param name="firstToken">First token, an index into the step.</param>
    /// <param name="endToken">End of the tokens; all of one sequence.</param>
    /// <param name="prefix">How many tokens, the first of the sequence, see each other.</param>
    /// <param name="scratch"><see cref="AttentionKernel.ScratchFloats"/> floats, 64-byte aligned.</param>
    [MethodImpl(Hot.Path)]
    public static void Run(in AttentionArguments arguments, int* blocks, int head, int firstHead, int heads, int firstToken, int endToken, int prefix, float* scratch)
    {
        var rows = (endToken - firstToken) * heads;
        for (var row = 0; row < rows;)
        {
            var tile = Math.Min(rows - row, AttentionKernel.TileRows);
            RunTile(arguments, blocks, head, firstHead, heads, firstToken, row, tile, prefix, scratch);
            row += tile;
        }
    }

    [MethodImpl(Hot.Path)]
    private static void RunTile(
        in AttentionArguments arguments, int* blocks, int head, int firstHead, int perToken, int firstToken, int firstRow, int rows, int prefix, float* scratch)
    {
        var size = arguments.HeadSize;
        var padded = AttentionKernel.PaddedHeadSize(size);
        // Rows of zeros fill a tile up: one pass over the cache for eight rows is faster than three for seven.
        var filled = (int)BitOperations.RoundUpToPowerOf2((uint)rows);
        var q = scratch;
        var mixed = q + (AttentionKernel.TileRows * padded);
        var scores = mixed + (AttentionKernel.TileRows * padded);
        var maxima = scores + (AttentionKernel.TileRows * Group);
        var sums = maxima + AttentionKernel.TileRows;

        new Span<float>(mixed, filled * padded).Clear();
        new Span<float>(q + (rows * padded), (filled - rows) * padded).Clear();
        for (var r = 0; r < rows; r++)
        {
            maxima[r] = float.NegativeInfinity;
            sums[r] = 0;
            var source = Row(arguments.Queries, arguments.QueryStride, firstHead, firstToken, firstRow + r, perToken, size);
            Scale(source, arguments.Scale * Growth(arguments, arguments.Positions[firstToken + ((firstRow + r) / perToken)]), q + (r * padded), size);
            new Span<float>(q + (r * padded) + size, padded - size).Clear();
        }

        var firstPosition = arguments.Positions[firstToken + (firstRow / perToken)];
        var lastKey = Math.Max(arguments.Positions[firstToken + ((firstRow + rows - 1) / perToken)], prefix - 1);
        var firstKey = Math.Max(0L, (long)firstPosition - arguments.Window + 1);
        for (var key = (int)(firstKey / Group * Group); key <= lastKey; key += Group)
        {
            var groupBlocks = (Math.Min(Group, lastKey + 1 - key) + BlockSize - 1) / BlockSize;
            Score(arguments, blocks, head, key, groupBlocks, filled, padded, q, scores);
            for (var r = 0; r < rows; r++)
            {
                var position = arguments.Positions[firstToken + ((firstRow + r) / perToken)];
                var end = Math.Clamp(Math.Max(position + 1, prefix) - key, 0, groupBlocks * BlockSize);
                var begin = (int)Math.Clamp((long)position - arguments.Window + 1 - key, 0, end);
                if (arguments.SoftCap > 0)
                    Cap(scores + (r * Group), groupBlocks * BlockSize, arguments.SoftCap);
                if (arguments.Slopes != null)
                    AddDistances(scores + (r * Group), groupBlocks * BlockSize, arguments.Slopes[firstHead + ((firstRow + r) % perToken)], key - position);
                if (arguments.Distances != null)
                    AddBias(scores + (r * Group), groupBlocks * BlockSize, arguments.Distances + ((firstHead + ((firstRow + r) % perToken)) * ((2 * (nint)arguments.MaxDistance) + 1)), arguments.MaxDistance, key - position);
                Softmax(scores + (r * Group), begin, end, groupBlocks * BlockSize, maxima + r, sums + r, mixed + (r * padded), padded);
            }

            Mix(arguments, blocks, head, key, groupBlocks, filled, padded, scores, mixed);
        }

        for (var r = 0; r < rows; r++)
        {
            var target = Row(arguments.Y, arguments.YStride, firstHead, firstToken, firstRow + r, perToken, arguments.ValueSize);
            // A score far above all others makes the exponential infinite and what is mixed nothing, which is right.
            var sum = arguments.Sinks == null ? sums[r] : sums[r] + MathF.Exp(arguments.Sinks[firstHead + ((firstRow + r) % perToken)] - maxima[r]);
            Scale(mixed + (r * padded) + size - arguments.ValueSize, 1 / sum, target, arguments.ValueSize);
        }
    }

    private static float Growth(in AttentionArguments arguments, int position) =>
        position < arguments.LogScaleFrom ? 1 : (float)(Math.Log(position + 1) / Math.Log(arguments.LogScaleFrom));

    private static void Cap(float* scores, int count, float cap)
    {
        var (up, down) = (TSimd.Broadcast(cap), TSimd.Broadcast(1 / cap));
        for (var i = 0; i < count; i += TSimd.Width)
            TSimd.Store(scores + i, TSimd.Multiply(VectorMath<TSimd, TVector>.Tanh(TSimd.Multiply(TSimd.Load(scores + i), down)), up));
    }

    /// <summary>Adds slope · (first + i) to score i.</summary>
    private static void AddDistances(float* scores, int count, float slope, int first)
    {
        for (var i = 0; i < count; i++)
            scores[i] += slope * (first + i);
    }

    /// <summary>Adds the bias of distance first + i to score i: a stretch of the table, or beyond its ends always the same.</summary>
    [MethodImpl(Hot.Path)]
    private static void AddBias(float* scores, int count, float* bias, int most, int first)
    {
        for (var i = 0; i < count; i += TSimd.Width)
        {
            var (from, to) = (first + i, first + i + TSimd.Width - 1);
            if (to <= -most || from >= most)
            {
                TSimd.Store(scores + i, TSimd.Add(TSimd.Load(scores + i), TSimd.Broadcast(bias[from >= most ? 2 * most : 0])));
            }
            else if (from >= -most && to <= most)
            {
                TSimd.Store(scores + i, TSimd.Add(TSimd.Load(scores + i), TSimd.Load(bias + from + most)));
            }
            else
            {
                for (var lane = 0; lane < TSimd.Width; lane++)
                    scores[i + lane] += bias[Math.Clamp(from + lane, -most, most) + most];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale(float* source, float factor, float* target, int size)
    {
        var d = 0;
        for (; d + TSimd.Width <= size; d += TSimd.Width)
            TSimd.Store(target + d, TSimd.Multiply(TSimd.Load(source + d), TSimd.Broadcast(factor)));
        for (; d < size; d++)
            target[d] = source[d] * factor;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* Row(float* matrix, nint stride, int firstHead, int firstToken, int row, int perToken, int size) =>
        matrix + ((firstToken + (row / perToken)) * stride) + ((firstHead + (row % perToken)) * (nint)size);

    /// <summary>scores[row, key] = q[row] · k[key] for all keys of the group's blocks.</summary>
    [MethodImpl(Hot.Path)]
    private static void Score(
        in AttentionArguments arguments, int* blocks, int head, int key, int groupBlocks, int rows, int padded, float* q, float* scores)
    {
        if (arguments.ValuesInKeys)
        {
            var bytes = (nint)BlockSize * padded * TCache.ElementSize;
            for (var block = 0; block < groupBlocks; block++)
                InnerProduct<TSimd, TVector, TCache>.Run(rows, q, padded, arguments.Values + (blocks[(key / BlockSize) + block] * bytes), BlockSize, scores + (block * BlockSize), Group);
            return;
        }

        new Span<float>(scores, rows * Group).Clear();
        var stride = (nint)BlockSize * TCache.ElementSize;
        var columns = stackalloc byte*[Group / TSimd.Width];
        var count = 0;
        for (var block = 0; block < groupBlocks; block++)
        {
            var index = ((nint)blocks[(key / BlockSize) + block] * arguments.KeyValueHeads) + head;
            var keys = arguments.Keys + (index * arguments.HeadSize * stride);
            for (var lane = 0; lane < BlockSize; lane += TSimd.Width)
                columns[count++] = keys + (lane * TCache.ElementSize);
        }

        OuterProduct<TSimd, TVector, TCache>.Run(rows, q, padded, columns, count, stride, arguments.HeadSize, scores, Group);
    }

    /// <summary>mixed[row] += Σ p[row, key] · v[key].</summary>
    [MethodImpl(Hot.Path)]
    private static void Mix(
        in AttentionArguments arguments, int* blocks, int head, int key, int groupBlocks, int rows, int padded, float* p, float* mixed)
    {
        var stride = (nint)padded * TCache.ElementSize;
        var columns = stackalloc byte*[padded / TSimd.Width];
        for (var block = 0; block < groupBlocks; block++)
        {
            var index = ((nint)blocks[(key / BlockSize) + block] * arguments.KeyValueHeads) + head;
            var values = arguments.Values + (index * BlockSize * stride);
            for (var column = 0; column < padded / TSimd.Width; column++)
                columns[column] = values + (column * TSimd.Width * TCache.ElementSize);
            OuterProduct<TSimd, TVector, TCache>.Run(rows, p + (block * BlockSize), Group, columns, padded / TSimd.Width, stride, BlockSize, mixed, padded);
        }
    }

    /// <summary>
    /// Turns the scores of keys [begin, end) into exponentials relative to the running maximum and all others into zero, and brings sum
    /// and output to that maximum.
    /// </summary>
    [MethodImpl(Hot.Path)]
    private static void Softmax(float* scores, int begin, int end, int count, float* maximum, float* sum, float* mixed, int padded)
    {
        if (begin >= end)
        {
            new Span<float>(scores, count).Clear();
            return;
        }

        var isCut = end - begin < count;
        if (isCut)
        {
            new Span<float>(scores, begin).Fill(float.NegativeInfinity);
            new Span<float>(scores + end, count - end).Fill(float.NegativeInfinity);
        }

        var highest = TSimd.Broadcast(*maximum);
        for (var i = 0; i < count; i += TSimd.Width)
            highest = TSimd.Max(highest, TSimd.Load(scores + i));
        var now = TSimd.MaxAcross(highest);

        var shift = TSimd.Broadcast(now);
        for (var i = 0; i < count; i += TSimd.Width)
            TSimd.Store(scores + i, VectorMath<TSimd, TVector>.Exp(TSimd.Subtract(TSimd.Load(scores + i), shift)));
        if (isCut)
        {
            new Span<float>(scores, begin).Clear();
            new Span<float>(scores + end, count - end).Clear();
        }

        var added = TSimd.Zero;
        for (var i = 0; i < count; i += TSimd.Width)
            added = TSimd.Add(added, TSimd.Load(scores + i));

        if (*maximum == now)
        {
            *sum += TSimd.Sum(added);
            return;
        }

        var correction = float.IsNegativeInfinity(*maximum) ? 0 : MathF.Exp(*maximum - now);
        *sum = (*sum * correction) + TSimd.Sum(added);
        *maximum = now;
        var factor = TSimd.Broadcast(correction);
        for (var d = 0; d < padded; d += TSimd.Width)
            TSimd.Store(mixed + d, TSimd.Multiply(TSimd.Load(mixed + d), factor));
    }
}

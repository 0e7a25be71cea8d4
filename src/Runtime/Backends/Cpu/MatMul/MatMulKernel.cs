namespace Weft.Backends.Cpu.MatMul;

/// <summary>A dense product y[N, M] = x[N, K] · W[M, K]ᵀ, as the kernel sees it. Strides in floats between tokens.</summary>
internal unsafe struct MatMulArguments
{
    public float* X;
    public nint XStride;

    /// <summary>What <see cref="MatMulKernel.Pack"/> made of X, when there are few tokens; for quantized weights, rows as integers, of which some may be other experts'.</summary>
    public float* PackedX;

    /// <summary>For quantized weights, how many rows those are.</summary>
    public int PackedRows;

    /// <summary>For quantized weights, the first of them that is multiplied.</summary>
    public int FirstPackedRow;

    public byte* W;
    public float* Y;
    public nint YStride;

    /// <summary>[M], or null.</summary>
    public float* Bias;

    /// <summary>Adds to what Y holds instead of replacing it: the residual stream.</summary>
    public bool Accumulate;

    public int N;
    public int K;
}

/// <summary>The dense product for one weight format and vector width; <see cref="MatMulKernel{TSimd, TVector, TWeights}"/> implements it.</summary>
internal abstract unsafe class MatMulKernel
{
    /// <summary>
    /// Most elements of K whose sum is formed in registers before it is added to the output: a packed tile of six tokens (24 KiB) and
    /// four rows of 16-bit weights (8 KiB) then share an L1 cache.
    /// </summary>
    public const int MaxChunk = 1024;

    /// <summary>Rows whose chunk of 16-bit weights (512 KiB) stays in L2 while all tokens pass over it.</summary>
    public const int RowBlock = 256;

    /// <summary>Rows whose chunk does so as float32.</summary>
    public const int DecodedRows = 128;

    /// <summary>Up to this many tokens, activations are packed once for all threads and each weight row is read once, front to back.</summary>
    public const int FewTokens = 18;

    /// <summary>Floats that a thread needs for many tokens: packed activations of a chunk, and weights that were made into numbers.</summary>
    public static int ManyTokensFloats => PackedFloats(MaxChunk) + (DecodedRows * MaxChunk);

    /// <summary>Floats that packed activations of inner size <paramref name="k"/> take.</summary>
    public static int PackedFloats(int k) => (FewTokens + 2) * (Math.Max(k, MaxChunk) + 64);

    /// <summary>
    /// How many elements of K are summed together. It is part of the result's definition (summation order) and therefore depends on K
    /// alone, not on the batch or the machine. The largest size that divides K evenly is taken, because a row's short last chunk
    /// breaks the order in which memory is read; where none of at least half of <see cref="MaxChunk"/> does, the last chunk is short.
    /// </summary>
    public static int ChunkSize(int k)
    {
        const int Granularity = 32; // one step of the widest kernel
        for (var chunk = MaxChunk; chunk >= MaxChunk / 2; chunk -= Granularity)
        {
            if (k % chunk == 0)
                return chunk;
        }

        return MaxChunk;
    }

    /// <summary>Activations are taken as they are, and packed by the product; otherwise an operation before it has packed all of them.</summary>
    public virtual bool PacksItself => true;

    /// <summary>Packs the activations of a product of few tokens into <paramref name="packed"/>.</summary>
    public abstract void Pack(in MatMulArguments arguments, float* packed);

    /// <summary>Computes the rows [<paramref name="firstRow"/>, <paramref name="endRow"/>) of W for all tokens.</summary>
    /// <param name="arguments">The product.</param>
    /// <param name="firstRow">A multiple of four, so that rows meet in the same tiles whoever computes them.</param>
    /// <param name="endRow">End of the rows.</param>
    /// <param name="scratch">At least <see cref="ManyTokensFloats"/>, 64-byte aligned, of this thread alone; <see cref="PackedFloats"/> of <see cref="MaxChunk"/> for weights in float32.</param>
    public abstract void Run(in MatMulArguments arguments, int firstRow, int endRow, float* scratch);
}

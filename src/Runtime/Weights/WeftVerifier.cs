namespace Weft.Weights;

/// <summary>Checks the data of a mapped packed file: pieces of all tensors are summed in parallel, then joined tensor by tensor.</summary>
internal static unsafe class WeftVerifier
{
    // Enough work that handing it out costs nothing, small enough that all processors finish together.
    private const int PieceLength = 4 << 20;

    public static void Verify(
        string path, IReadOnlyList<TensorEntry> tensors, byte* start, long headerEnd, CancellationToken cancellationToken)
    {
        var pieces = new List<(long Offset, int Length)>();
        foreach (var tensor in tensors)
        {
            for (long at = 0; at < tensor.Length; at += PieceLength)
                pieces.Add((tensor.Offset + at, (int)Math.Min(PieceLength, tensor.Length - at)));
        }

        var sums = new uint[pieces.Count];
        Parallel.For(
            0,
            pieces.Count,
            new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount },
            i => sums[i] = Crc32C.Compute(new ReadOnlySpan<byte>(start + pieces[i].Offset, pieces[i].Length)));

        var next = 0;
        var end = headerEnd;
        foreach (var tensor in tensors)
        {
            if (new ReadOnlySpan<byte>(start + end, (int)(tensor.Offset - end)).ContainsAnyExcept((byte)0))
                throw new WeftException($"{path}: the padding before tensor '{tensor.Name}' is damaged (it is not zero)");
            var sum = 0u;
            for (long at = 0; at < tensor.Length; at += PieceLength, next++)
                sum = Crc32C.Combine(sum, sums[next], pieces[next].Length);
            if (sum != tensor.Checksum)
                throw new WeftException($"{path}: tensor '{tensor.Name}' is damaged (checksum {sum:x8}, expected {tensor.Checksum:x8})");
            end = tensor.Offset + tensor.Length;
        }
    }
}

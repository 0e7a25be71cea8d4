using System.Security.Cryptography;
using Weft.Convert.Checkpoints;
using Weft.Weights;

namespace Weft.Convert;

/// <summary>SHA-256 of the source files, computed beside the conversion: hashing is about as slow as everything else together.</summary>
internal sealed class SourceHashes : IDisposable
{
    private const int PieceLength = 1 << 20;

    private readonly CancellationTokenSource stop;
    private readonly Task<SourceFile[]> task;

    private SourceHashes(string[] paths, CancellationToken cancellationToken)
    {
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Unfinished = [.. paths.Select(path => new SourceFile(Path.GetFileName(path), LengthOf(path), new string('0', 64)))];
        task = Task.Run(() => Unfinished.Zip(paths, (file, path) => Hash(file, path, stop.Token)).ToArray());
    }

    /// <summary>The rows with zeros for hashes: what a header looks like before they are known.</summary>
    public IReadOnlyList<SourceFile> Unfinished { get; }

    /// <summary>Starts hashing.</summary>
    public static SourceHashes Start(string[] paths, CancellationToken cancellationToken) => new(paths, cancellationToken);

    /// <summary>Waits for the hashes.</summary>
    public IReadOnlyList<SourceFile> Finish() => task.GetAwaiter().GetResult();

    /// <summary>Stops hashing if it still runs.</summary>
    public void Dispose()
    {
        stop.Cancel();
        // A conversion that failed leaves nobody to hear of this task's end; it must still have let go of the files.
        ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
        stop.Dispose();
    }

    // Of what is read: a link's own length, which the file system tells for its path, is another.
    private static long LengthOf(string path)
    {
        using var file = SourceReader.Open(path);
        return file.Length;
    }

    private static SourceFile Hash(SourceFile expected, string path, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var file = SourceReader.Open(path);
        if (file.Length != expected.Bytes)
            throw new WeftException($"{path}: this file changed while it was converted");
        var buffer = new byte[PieceLength];
        for (long offset = 0; offset < file.Length; offset += PieceLength)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var piece = buffer.AsSpan(0, (int)Math.Min(PieceLength, file.Length - offset));
            file.Read(piece, offset);
            hash.AppendData(piece);
        }

        return expected with { Sha256 = System.Convert.ToHexStringLower(hash.GetHashAndReset()) };
    }
}

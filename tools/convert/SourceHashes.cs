using System.Security.Cryptography;
using Weft.Weights;

namespace Weft.Convert;

/// <summary>SHA-256 of the source files, computed beside the conversion: hashing is about as slow as everything else together.</summary>
internal sealed class SourceHashes : IDisposable
{
    private readonly CancellationTokenSource stop;
    private readonly Task<SourceFile[]> task;

    private SourceHashes(string[] paths, CancellationToken cancellationToken)
    {
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Unfinished = [.. paths.Select(path => new SourceFile(Path.GetFileName(path), new FileInfo(path).Length, new string('0', 64)))];
        task = Task.Run(() => paths.Select(path => Hash(path, stop.Token)).ToArray());
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

    private static SourceFile Hash(string path, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var handle = File.OpenHandle(path, options: FileOptions.SequentialScan);
        var buffer = new byte[1 << 20];
        long offset = 0;
        for (int read; (read = RandomAccess.Read(handle, buffer, offset)) > 0; offset += read)
        {
            cancellationToken.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }

        return new(Path.GetFileName(path), offset, System.Convert.ToHexStringLower(hash.GetHashAndReset()));
    }
}

using Weft.Weights;

namespace Weft.Cli.Storage;

/// <summary>Reads packed files without loading a model.</summary>
internal static class PackedFile
{
    /// <summary>The header of the file at <paramref name="path"/>.</summary>
    /// <exception cref="WeftException">It is not there or damaged.</exception>
    public static WeftHeader ReadHeader(string path) => throw new NotImplementedException(path);

    /// <summary>Compares every tensor with its checksum.</summary>
    /// <exception cref="WeftException">One does not agree.</exception>
    public static void Verify(string path, CancellationToken cancellation) => throw new NotImplementedException(path);
}

using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace Weft.Weights;

/// <summary>
/// A packed file, memory-mapped for reading. Opening checks the header and every offset against the file; <see cref="Verify"/>
/// checks every byte.
/// </summary>
public sealed unsafe class WeftFile : IDisposable
{
    private readonly MemoryMappedFile map;
    private readonly MemoryMappedViewAccessor view;
    private readonly Dictionary<string, TensorEntry> byName;
    private readonly long headerEnd;
    private byte* start;

    private WeftFile(string path, WeftHeader header, long headerEnd, MemoryMappedFile map, MemoryMappedViewAccessor view, long length)
    {
        (Path, Header, Length, this.headerEnd, this.map, this.view) = (path, header, length, headerEnd, map, view);
        byName = header.Tensors.ToDictionary(tensor => tensor.Name);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        start += view.PointerOffset;
    }

    /// <summary>The file's path, as given.</summary>
    public string Path { get; }

    /// <summary>The checked header.</summary>
    public WeftHeader Header { get; }

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

    /// <summary>Opens and maps a packed file.</summary>
    /// <exception cref="WeftException">The file does not exist, is not a packed file, or its header is damaged or wrong.</exception>
    public static WeftFile Open(string path)
    {
        if (Directory.Exists(path))
            throw new WeftException($"{path}: this is a folder, not a packed file");
        try
        {
            using var handle = File.OpenHandle(path);
            var length = RandomAccess.GetLength(handle);
            var (header, end) = WeftHeaderReader.Read(path, handle, length);
            return Map(path, header, end, handle, length);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WeftException($"{path}: this file does not exist", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"{path}: the file cannot be read ({exception.Message})", exception);
        }
    }

    private static WeftFile Map(string path, WeftHeader header, long headerEnd, SafeFileHandle handle, long length)
    {
        var map = MemoryMappedFile.CreateFromFile(
            handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        var view = map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        return new WeftFile(path, header, headerEnd, map, view, length);
    }

    /// <summary>The tensor of this name.</summary>
    /// <exception cref="WeftException">There is none.</exception>
    public TensorEntry Find(string name) =>
        byName.TryGetValue(name, out var entry) ? entry : throw new WeftException($"{Path}: there is no tensor '{name}'");

    /// <summary>Where the bytes of <paramref name="entry"/> lie: 4096-aligned, <see cref="TensorEntry.Length"/> long, read-only,
    /// valid until <see cref="Dispose"/>.</summary>
    public byte* Address(TensorEntry entry)
    {
        ObjectDisposedException.ThrowIf(start == null, this);
        return start + entry.Offset;
    }

    /// <summary>A part of a tensor's bytes; a span cannot hold more than 2 GiB, so it is taken in pieces.</summary>
    /// <param name="entry">The tensor.</param>
    /// <param name="offset">First byte, counted from the tensor's start.</param>
    /// <param name="length">Bytes.</param>
    public ReadOnlySpan<byte> Bytes(TensorEntry entry, long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, entry.Length - length);
        return new(Address(entry) + offset, length);
    }

    /// <summary>Checks the checksum of every tensor and that the padding between them is zero, on all processors.</summary>
    /// <exception cref="WeftException">A byte is not what was written; the message names the tensor.</exception>
    public void Verify(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(start == null, this);
        WeftVerifier.Verify(Path, Header.Tensors, start, headerEnd, cancellationToken);
    }

    /// <summary>Unmaps the file; addresses and spans handed out become invalid.</summary>
    public void Dispose()
    {
        if (start == null)
            return;
        start = null;
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        map.Dispose();
    }
}

using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Weft.Weights;

/// <summary>
/// Writes a packed file in one pass: the layout follows from the draft header alone, tensors may come in any order, and the header is
/// written last. All goes to a temporary name in the target's folder, is flushed to the disk and then renamed, so that the final
/// name never holds half a file; <see cref="Dispose"/> without <see cref="Complete"/> leaves nothing behind.
/// </summary>
public sealed class WeftWriter : IDisposable
{
    private readonly string path;
    private readonly string temporary;
    private readonly TensorEntry[] tensors;
    private readonly Dictionary<string, int> index;
    private readonly long length;
    private readonly SafeFileHandle file;
    private readonly bool[] complete;
    private int current = -1;
    private long written;
    private uint checksum;
    private bool renamed;

    private WeftWriter(string path, TensorEntry[] tensors, long length)
    {
        (this.path, this.tensors, this.length) = (path, tensors, length);
        index = tensors.Select((tensor, i) => (tensor.Name, i)).ToDictionary(pair => pair.Name, pair => pair.i);
        complete = new bool[tensors.Length];
        temporary = $"{path}.{Guid.NewGuid():n}.tmp";
        file = Guard(() => File.OpenHandle(
            temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.None, preallocationSize: length));
    }

    /// <summary>Bytes that the finished file will have.</summary>
    public long Length => length;

    /// <summary>Starts a file.</summary>
    /// <param name="path">The final name; an existing file is replaced by <see cref="Complete"/> and not touched before.</param>
    /// <param name="draft">The header as it will be, except that offsets, lengths and checksums of tensors are not read, and that the
    /// sources' hashes may still be any 64 digits.</param>
    /// <exception cref="WeftException">The file cannot be created, or the disk has no room for it.</exception>
    public static WeftWriter Create(string path, WeftHeader draft)
    {
        var (tensors, length) = Plan(draft);
        return new WeftWriter(path, tensors, length);
    }

    /// <summary>Starts the tensor of this name; what <see cref="Append"/> is given next is its data.</summary>
    public void Begin(string tensor)
    {
        FinishTensor();
        current = index[tensor];
        (this.written, this.checksum) = (0, 0);
    }

    /// <summary>Adds bytes to the tensor begun last.</summary>
    /// <exception cref="WeftException">The disk is full or fails.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        var entry = tensors[current];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, entry.Length - written, nameof(bytes));
        checksum = Crc32C.Append(checksum, bytes);
        Write(bytes, entry.Offset + written);
        written += bytes.Length;
    }

    /// <summary>Brings what was written so far to the disk, so that <see cref="Complete"/> has little left to wait for.</summary>
    /// <exception cref="WeftException">The disk is full or fails.</exception>
    public void Flush() => Guard(() =>
    {
        RandomAccess.FlushToDisk(file);
        return true;
    });

    /// <summary>Writes the header, flushes to the disk and gives the file its name.</summary>
    /// <param name="header">The draft, with the sources' hashes filled in.</param>
    /// <returns>The header as written.</returns>
    public WeftHeader Complete(WeftHeader header)
    {
        FinishTensor();
        var missing = Array.IndexOf(complete, false);
        if (missing >= 0)
            throw new InvalidOperationException($"Tensor '{tensors[missing].Name}' was not written.");

        header = header with { Tensors = tensors };
        var json = JsonSerializer.SerializeToUtf8Bytes(header, WeftJson.Header);
        if (tensors.Length > 0 && WeftFormat.Align(WeftFormat.FixedLength + json.Length) != tensors[0].Offset)
            throw new InvalidOperationException("The header is not the draft that the layout was made for.");
        Span<byte> start = stackalloc byte[WeftFormat.FixedLength];
        WeftFormat.Magic.CopyTo(start);
        BinaryPrimitives.WriteUInt32LittleEndian(start[4..], WeftFormat.Version);
        BinaryPrimitives.WriteUInt64LittleEndian(start[8..], (ulong)json.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(start[16..], Crc32C.Compute(json));
        BinaryPrimitives.WriteUInt32LittleEndian(start[20..], 0);
        Write(start, 0);
        Write(json, WeftFormat.FixedLength);
        Guard(() =>
        {
            RandomAccess.FlushToDisk(file);
            file.Dispose();
            File.Move(temporary, path, overwrite: true);
            return true;
        });
        renamed = true;
        return header;
    }

    /// <summary>Closes the file, and deletes it unless it was completed.</summary>
    public void Dispose()
    {
        file.Dispose();
        if (!renamed)
            File.Delete(temporary);
    }

    // Gaps between tensors are never written: the file system fills them with zeros, which is what the format asks for.
    private static (TensorEntry[] Tensors, long Length) Plan(WeftHeader draft)
    {
        var tensors = draft.Tensors.Select(tensor => tensor with
        {
            Length = WeftFormat.ByteLength(tensor),
            Checksum = 0,
        }).ToArray();

        // Offsets are decimal numbers inside the header, so its length and theirs depend on each other; it grows monotonically
        // with them and settles after a step or two.
        long headerLength = 0;
        while (true)
        {
            var end = WeftFormat.FixedLength + headerLength;
            for (var i = 0; i < tensors.Length; i++)
            {
                tensors[i] = tensors[i] with { Offset = WeftFormat.Align(end) };
                end = checked(tensors[i].Offset + tensors[i].Length);
            }

            var needed = JsonSerializer.SerializeToUtf8Bytes(draft with { Tensors = tensors }, WeftJson.Header).LongLength;
            if (needed == headerLength)
                return (tensors, end);
            headerLength = needed;
        }
    }

    private void FinishTensor()
    {
        if (current < 0)
            return;
        var entry = tensors[current];
        if (written != entry.Length)
            throw new InvalidOperationException($"Tensor '{entry.Name}' got {written} of {entry.Length} bytes.");
        tensors[current] = entry with { Checksum = checksum };
        complete[current] = true;
        current = -1;
    }

    private void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        try
        {
            RandomAccess.Write(file, bytes, offset);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure(exception);
        }
    }

    private T Guard<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure(exception);
        }
    }

    private WeftException Failure(Exception exception)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path));
        return exception switch
        {
            DirectoryNotFoundException => new($"{path}: the folder '{folder}' does not exist", exception),
            UnauthorizedAccessException => new($"{path}: the folder '{folder}' does not allow writing", exception),
            _ => new($"{path}: {length} bytes cannot be written ({exception.Message.TrimEnd('.')})", exception),
        };
    }
}

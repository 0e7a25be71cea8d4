using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Weft.Tensors;

namespace Weft.Weights;

/// <summary>
/// Writes a packed file in one pass: the layout follows from the draft header alone, tensors may come in any order, and the header is
/// written last. All goes to a temporary name in the target's folder, is flushed to the disk and then renamed, so that the final
/// name never holds half a file; <see cref="Dispose"/> without <see cref="Complete"/> leaves nothing behind.
/// </summary>
public sealed class WeftWriter : IDisposable
{
    private readonly string _path;
    private readonly string _temporary;
    private readonly TensorEntry[] _tensors;
    private readonly Dictionary<string, int> _index;
    private readonly long _length;
    private readonly SafeFileHandle _file;
    private readonly bool[] _complete;
    private int _current = -1;
    private long _written;
    private uint _checksum;
    private bool _renamed;

    private WeftWriter(string path, TensorEntry[] tensors, long length)
    {
        (_path, _tensors, _length) = (path, tensors, length);
        _index = tensors.Select((tensor, i) => (tensor.Name, i)).ToDictionary(pair => pair.Name, pair => pair.i);
        _complete = new bool[tensors.Length];
        _temporary = $"{path}.{Guid.NewGuid():n}.tmp";
        _file = Guard(() => File.OpenHandle(
            _temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.None, preallocationSize: length));
    }

    /// <summary>Bytes that the finished file will have.</summary>
    public long Length => _length;

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
        _current = _index[tensor];
        (_written, _checksum) = (0, 0);
    }

    /// <summary>Adds bytes to the tensor begun last.</summary>
    /// <exception cref="WeftException">The disk is full or fails.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        var entry = _tensors[_current];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, entry.Length - _written, nameof(bytes));
        _checksum = Crc32C.Append(_checksum, bytes);
        Write(bytes, entry.Offset + _written);
        _written += bytes.Length;
    }

    /// <summary>Brings what was written so far to the disk, so that <see cref="Complete"/> has little left to wait for.</summary>
    /// <exception cref="WeftException">The disk is full or fails.</exception>
    public void Flush() => Guard(() =>
    {
        RandomAccess.FlushToDisk(_file);
        return true;
    });

    /// <summary>Writes the header, flushes to the disk and gives the file its name.</summary>
    /// <param name="header">The draft, with the sources' hashes filled in.</param>
    /// <returns>The header as written.</returns>
    public WeftHeader Complete(WeftHeader header)
    {
        FinishTensor();
        var missing = Array.IndexOf(_complete, false);
        if (missing >= 0)
            throw new InvalidOperationException($"Tensor '{_tensors[missing].Name}' was not written.");

        header = header with { Tensors = _tensors };
        var json = JsonSerializer.SerializeToUtf8Bytes(header, WeftJson.Header);
        if (_tensors.Length > 0 && WeftFormat.Align(WeftFormat.FixedLength + json.Length) != _tensors[0].Offset)
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
            RandomAccess.FlushToDisk(_file);
            _file.Dispose();
            File.Move(_temporary, _path, overwrite: true);
            return true;
        });
        _renamed = true;
        return header;
    }

    /// <summary>Closes the file, and deletes it unless it was completed.</summary>
    public void Dispose()
    {
        _file.Dispose();
        if (!_renamed)
            File.Delete(_temporary);
    }

    // Gaps between tensors are never written: the file system fills them with zeros, which is what the format asks for.
    private static (TensorEntry[] Tensors, long Length) Plan(WeftHeader draft)
    {
        var tensors = draft.Tensors.Select(tensor => tensor with
        {
            Length = WeftFormat.ByteLength(tensor.Shape, tensor.DataType.Size()),
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
        if (_current < 0)
            return;
        var entry = _tensors[_current];
        if (_written != entry.Length)
            throw new InvalidOperationException($"Tensor '{entry.Name}' got {_written} of {entry.Length} bytes.");
        _tensors[_current] = entry with { Checksum = _checksum };
        _complete[_current] = true;
        _current = -1;
    }

    private void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        try
        {
            RandomAccess.Write(_file, bytes, offset);
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
        var folder = Path.GetDirectoryName(Path.GetFullPath(_path));
        return exception switch
        {
            DirectoryNotFoundException => new($"{_path}: the folder '{folder}' does not exist.", exception),
            UnauthorizedAccessException => new($"{_path}: the folder '{folder}' does not allow writing.", exception),
            _ => new($"{_path}: {_length} bytes cannot be written ({exception.Message.TrimEnd('.')}).", exception),
        };
    }
}

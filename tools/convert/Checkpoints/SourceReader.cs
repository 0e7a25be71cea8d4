using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Weft.Convert.Checkpoints;

/// <summary>A file read at given positions; every failure is a sentence that names the file.</summary>
/// <remarks>Reads go into the caller's buffer rather than through a memory map, whose pages would count as this process's memory.</remarks>
internal sealed class SourceReader : IDisposable
{
    private readonly SafeFileHandle? handle; // null where there is nothing to read

    private SourceReader(string path, SafeFileHandle? handle)
    {
        (Path, this.handle) = (path, handle);
        Length = handle is null ? 0 : RandomAccess.GetLength(handle);
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="WeftException">It does not exist, cannot be read, or was never downloaded.</exception>
    public static SourceReader Open(string path)
    {
        var file = OpenHandle(path);
        if (!file.IsPointer)
            return file;
        file.Dispose();
        throw new WeftException($"{path}: this is not the file itself but what git keeps in its place; run 'git lfs pull' in its folder to download it");
    }

    private static SourceReader OpenHandle(string path)
    {
        try
        {
            return new SourceReader(path, IsEmpty(path) ? null : File.OpenHandle(path));
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WeftException($"{path}: this file does not exist", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"{path}: the file cannot be read ({exception.Message.TrimEnd('.')})", exception);
        }
    }

    /// <summary>Reads a whole file.</summary>
    public static byte[] ReadAll(string path)
    {
        using var file = Open(path);
        return file.Length <= Array.MaxLength ? file.Read(0, (int)file.Length) : throw new WeftException($"{path}: {file.Length} bytes are too many to be read at once");
    }

    /// <summary>Reads a file of text, line by line.</summary>
    public static IEnumerable<string> ReadLines(string path)
    {
        using var text = new StreamReader(new MemoryStream(ReadAll(path)));
        while (text.ReadLine() is { } line)
            yield return line;
    }

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/> on.</summary>
    public void Read(Span<byte> destination, long offset)
    {
        try
        {
            while (destination.Length > 0)
            {
                var read = handle is null ? 0 : RandomAccess.Read(handle, destination, offset);
                if (read == 0)
                    throw new WeftException($"{Path}: the file ends at byte {offset}, before its contents do");
                destination = destination[read..];
                offset += read;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"{Path}: the file cannot be read ({exception.Message.TrimEnd('.')})", exception);
        }
    }

    /// <summary>What a file is that is not of the kind that its name says: nothing or a text, as a page about an error that was saved under a model's name. Null for neither.</summary>
    public string? Explain()
    {
        const int Most = 60;
        if (Length == 0)
            return "it is empty";
        var words = Encoding.UTF8.GetString(Read(0, (int)Math.Min(Length, Most))).TrimEnd('\uFFFD'); // a letter may be cut
        return words.Any(letter => letter == '\uFFFD' || (char.IsControl(letter) && !char.IsWhiteSpace(letter)))
            ? null
            : $"it is a text that begins with '{string.Join(' ', words.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}'";
    }

    /// <summary>Reads a small part of the file.</summary>
    public byte[] Read(long offset, int length)
    {
        var bytes = new byte[length];
        Read(bytes, offset);
        return bytes;
    }

    public void Dispose() => handle?.Dispose();

    /// <summary>Whether git left a text in place of the file, as it does where git-lfs is not installed. A pointer has 1024 bytes at most (git-lfs's specification).</summary>
    private bool IsPointer
    {
        get
        {
            var version = "version https://git-lfs."u8;
            return Length <= 1024 && Length >= version.Length && Read(0, version.Length).AsSpan().SequenceEqual(version);
        }
    }

    // A pipe or a device has no length either, and opening a pipe waits until somebody writes.
    private static bool IsEmpty(string path) =>
        (File.ResolveLinkTarget(path, returnFinalTarget: true) ?? new FileInfo(path)) is FileInfo { Exists: true, Length: 0 };
}

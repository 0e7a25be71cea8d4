using System.Buffers.Binary;
using System.Text;

namespace Weft.Convert.Checkpoints;

/// <summary>An uncompressed entry of a zip archive: where its bytes lie in the file.</summary>
internal sealed record ZipEntry(string Name, long Offset, long Length);

/// <summary>
/// The directory of a zip archive whose entries are stored, with zip64 (APPNOTE 6.3.9). .NET's own reader does not say where an entry's
/// bytes begin, and tensors are read straight from there.
/// </summary>
internal static class ZipDirectory
{
    private const int EndLength = 22;
    private const int LongestComment = 65535;
    private const int CentralLength = 46;
    private const int LocalLength = 30;
    private const uint EndSignature = 0x06054B50;
    private const uint End64Signature = 0x06064B50;
    private const uint Locator64Signature = 0x07064B50;
    private const uint CentralSignature = 0x02014B50;
    private const uint LocalSignature = 0x04034B50;

    // A directory row takes 46 bytes or more; real checkpoints have some thousand entries.
    private const long LongestDirectory = 256 << 20;

    /// <summary>Reads the directory, by entry name.</summary>
    /// <exception cref="WeftException">The archive is damaged, or an entry is compressed or encrypted.</exception>
    public static Dictionary<string, ZipEntry> Read(SourceReader file)
    {
        var (count, offset, length) = FindDirectory(file);
        if (length > LongestDirectory || offset < 0 || length < 0 || offset > file.Length - length)
            throw Damaged(file, "its directory lies outside the file");
        var directory = file.Read(offset, (int)length);
        var entries = new Dictionary<string, ZipEntry>();
        var at = 0;
        for (var i = 0L; i < count; i++)
        {
            var entry = ReadEntry(file, directory, ref at);
            if (!entries.TryAdd(entry.Name, entry))
                throw Damaged(file, $"'{Printable.Of(entry.Name)}' is in it twice");
        }

        return entries;
    }

    private static (long Count, long Offset, long Length) FindDirectory(SourceReader file)
    {
        var tailLength = (int)Math.Min(file.Length, EndLength + LongestComment);
        var tail = file.Read(file.Length - tailLength, tailLength);
        for (var at = tailLength - EndLength; at >= 0; at--)
        {
            if (U32(tail, at) != EndSignature)
                continue;
            var end = file.Length - tailLength + at;
            var (count, length, offset) = ((long)U16(tail, at + 10), (long)U32(tail, at + 12), (long)U32(tail, at + 16));
            return count == 0xFFFF || length == 0xFFFFFFFF || offset == 0xFFFFFFFF ? FindDirectory64(file, end) : (count, offset, length);
        }

        throw Damaged(file, "it has no directory, as a truncated file has none");
    }

    private static (long Count, long Offset, long Length) FindDirectory64(SourceReader file, long end)
    {
        const int LocatorLength = 20;
        const int RecordLength = 56;
        if (end < LocatorLength)
            throw Damaged(file, "its zip64 directory is missing");
        var locator = file.Read(end - LocatorLength, LocatorLength);
        var start = I64(locator, 8);
        if (U32(locator, 0) != Locator64Signature || start < 0 || start > file.Length - RecordLength)
            throw Damaged(file, "its zip64 directory is missing");
        var record = file.Read(start, RecordLength);
        if (U32(record, 0) != End64Signature)
            throw Damaged(file, "its zip64 directory is missing");
        return (I64(record, 32), I64(record, 48), I64(record, 40));
    }

    private static ZipEntry ReadEntry(SourceReader file, byte[] directory, ref int at)
    {
        if (at > directory.Length - CentralLength || U32(directory, at) != CentralSignature)
            throw Damaged(file, "its directory ends early");
        var (flags, method) = (U16(directory, at + 8), U16(directory, at + 10));
        long packed = U32(directory, at + 20), length = U32(directory, at + 24), local = U32(directory, at + 42);
        int nameLength = U16(directory, at + 28), extraLength = U16(directory, at + 30), commentLength = U16(directory, at + 32);
        var row = CentralLength + nameLength + extraLength + commentLength;
        if (row > directory.Length - at)
            throw Damaged(file, "its directory ends early");
        var name = Encoding.UTF8.GetString(directory, at + CentralLength, nameLength);
        ReadZip64(file, directory.AsSpan(at + CentralLength + nameLength, extraLength), ref length, ref packed, ref local);
        at += row;
        if ((flags & 1) != 0 || method != 0 || packed != length)
            throw new WeftException($"{file.Path}: '{Printable.Of(name)}' is compressed or encrypted, which PyTorch's checkpoints are not");
        if (local < 0 || local > file.Length - LocalLength)
            throw Damaged(file, $"'{Printable.Of(name)}' lies outside the file");
        var header = file.Read(local, LocalLength);
        var start = local + LocalLength + U16(header, 26) + U16(header, 28);
        if (U32(header, 0) != LocalSignature || length < 0 || start > file.Length - length)
            throw Damaged(file, $"'{Printable.Of(name)}' lies outside the file");
        return new(name, start, length);
    }

    /// <summary>Replaces the sizes and the offset that do not fit 32 bits by those of the zip64 extra field.</summary>
    private static void ReadZip64(SourceReader file, ReadOnlySpan<byte> extra, ref long length, ref long packed, ref long local)
    {
        const uint Elsewhere = 0xFFFFFFFF;
        while (extra.Length >= 4)
        {
            var (id, size) = (BinaryPrimitives.ReadUInt16LittleEndian(extra), BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]));
            extra = extra[4..];
            if (size > extra.Length)
                break;
            if (id == 1)
            {
                var field = extra[..size];
                Take(ref length, ref field);
                Take(ref packed, ref field);
                Take(ref local, ref field);
                return;
            }

            extra = extra[size..];
        }

        if (length == Elsewhere || packed == Elsewhere || local == Elsewhere)
            throw Damaged(file, "a zip64 size is missing");

        void Take(ref long value, ref ReadOnlySpan<byte> field)
        {
            if (value != Elsewhere)
                return;
            if (field.Length < sizeof(long))
                throw Damaged(file, "a zip64 size is missing");
            value = BinaryPrimitives.ReadInt64LittleEndian(field);
            field = field[sizeof(long)..];
        }
    }

    private static ushort U16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static long I64(byte[] bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));

    private static WeftException Damaged(SourceReader file, string what) => new($"{file.Path}: the zip archive is damaged: {what}");
}

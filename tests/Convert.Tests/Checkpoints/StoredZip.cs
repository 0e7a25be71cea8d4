using System.Buffers.Binary;
using System.Text;

namespace Weft.Convert.Tests.Checkpoints;

/// <summary>Writes zip archives byte by byte, for what .NET's writer cannot be asked for: zip64 fields, alignment padding, odd flags.</summary>
internal static class StoredZip
{
    private const uint Elsewhere = 0xFFFFFFFF;

    /// <summary>An archive of stored entries, each aligned to 64 bytes by a padding field in its local header, as PyTorch does it.</summary>
    /// <param name="entries">Names and contents.</param>
    /// <param name="zip64">Whether every size and offset is moved to the 64-bit fields.</param>
    /// <param name="flags">General purpose bits of every entry.</param>
    public static byte[] Write(IReadOnlyList<(string Name, byte[] Bytes)> entries, bool zip64, ushort flags = 0)
    {
        var (file, directory) = (new List<byte>(), new List<byte>());
        foreach (var (name, bytes) in entries)
        {
            var text = Encoding.UTF8.GetBytes(name);
            var local = file.Count;
            var padding = 63 - ((local + 30 + text.Length + 4 + 63) % 64);
            file.AddRange([.. "PK\u0003\u0004"u8, .. Little(0, 2), .. Little(flags, 2), .. new byte[10], .. Little(bytes.Length, 4), .. Little(bytes.Length, 4)]);
            file.AddRange([.. Little(text.Length, 2), .. Little(padding + 4, 2), .. text, .. "FB"u8, .. Little(padding, 2), .. new byte[padding]]);
            file.AddRange(bytes);

            // An unrelated field comes first, so that a reader has to look for the zip64 one.
            byte[] extra = zip64 ? [.. "UT"u8, 1, 0, 0, 1, 0, 24, 0, .. Little(bytes.Length, 8), .. Little(bytes.Length, 8), .. Little(local, 8)] : [];
            var (length, offset) = zip64 ? (Elsewhere, Elsewhere) : ((uint)bytes.Length, (uint)local);
            directory.AddRange([.. "PK\u0001\u0002"u8, .. new byte[4], .. Little(flags, 2), .. new byte[10], .. Little(length, 4), .. Little(length, 4)]);
            directory.AddRange([.. Little(text.Length, 2), .. Little(extra.Length, 2), .. new byte[10], .. Little(offset, 4), .. text, .. extra]);
        }

        var (start, end) = (file.Count, file.Count + directory.Count);
        file.AddRange(directory);
        if (zip64)
        {
            file.AddRange([.. "PK\u0006\u0006"u8, .. Little(44, 8), .. new byte[12], .. Little(entries.Count, 8), .. Little(entries.Count, 8)]);
            file.AddRange([.. Little(directory.Count, 8), .. Little(start, 8), .. "PK\u0006\u0007"u8, .. new byte[4], .. Little(end, 8), .. Little(1, 4)]);
        }

        var count = zip64 ? 0xFFFF : entries.Count;
        var (size, place) = zip64 ? (Elsewhere, Elsewhere) : ((uint)directory.Count, (uint)start);
        return [.. file, .. "PK\u0005\u0006"u8, .. new byte[4], .. Little(count, 2), .. Little(count, 2), .. Little(size, 4), .. Little(place, 4), 0, 0];
    }

    private static byte[] Little(long value, int length)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes[..length];
    }
}

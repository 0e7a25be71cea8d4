using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Weights;

/// <summary>Reads the part of a packed file before its tensors and trusts nothing in it.</summary>
internal static class WeftHeaderReader
{
    /// <summary>Reads and checks everything that can be checked without touching tensor data.</summary>
    /// <returns>The header, and the position just after its JSON.</returns>
    public static (WeftHeader Header, long End) Read(string path, SafeFileHandle file, long fileLength)
    {
        var json = ReadJson(path, file, fileLength);
        WeftHeader header;
        try
        {
            header = WeftHeaderParser.Parse(json);
        }
        catch (JsonException exception)
        {
            throw new WeftException($"{path}: the header does not follow format version {WeftFormat.Version}: {exception.Message}", exception);
        }

        var end = WeftFormat.FixedLength + json.Length;
        if (ModelCheck.FindError(header.Model) is { } error)
            throw new WeftException($"{path}: the model description is wrong: {error}");
        CheckNames(path, header);
        CheckPlaces(path, header.Tensors, end, fileLength);
        return (header, end);
    }

    private static byte[] ReadJson(string path, SafeFileHandle file, long fileLength)
    {
        Span<byte> start = stackalloc byte[WeftFormat.FixedLength];
        if (fileLength < start.Length || RandomAccess.Read(file, start, 0) != start.Length)
            throw new WeftException($"{path}: {fileLength} bytes are too few for a packed file");
        if (!start.StartsWith(WeftFormat.Magic))
            throw new WeftException($"{path}: this is not a packed file (it does not begin with WEFT)");
        var version = BinaryPrimitives.ReadUInt32LittleEndian(start[4..]);
        if (version != WeftFormat.Version)
            throw new WeftException($"{path}: format version {version} is not the one this program reads ({WeftFormat.Version}): convert the checkpoint again with this program");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(start[8..]);
        if (length > WeftFormat.MaxHeaderLength || (long)length > fileLength - WeftFormat.FixedLength)
            throw new WeftException($"{path}: the header is said to have {length} bytes, but the file ends earlier");
        var expected = BinaryPrimitives.ReadUInt32LittleEndian(start[16..]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(start[20..]) != 0)
            throw new WeftException($"{path}: bytes 20 to 23 are reserved and must be zero");

        var json = new byte[length];
        for (var done = 0; done < json.Length;)
        {
            var read = RandomAccess.Read(file, json.AsSpan(done), WeftFormat.FixedLength + done);
            done += read > 0 ? read : throw new WeftException($"{path}: the file ends inside its header");
        }

        var actual = Crc32C.Compute(json);
        return actual == expected
            ? json
            : throw new WeftException($"{path}: the header is damaged (checksum {actual:x8}, expected {expected:x8})");
    }

    private static void CheckNames(string path, WeftHeader header)
    {
        var index = 0;
        foreach (var required in TensorSchema.Of(header.Model))
        {
            if (index == header.Tensors.Count)
                throw new WeftException($"{path}: tensor '{required.Name}' is missing");
            var entry = header.Tensors[index++];
            if (entry.Name != required.Name)
                throw new WeftException($"{path}: tensor '{entry.Name}' stands where '{required.Name}' belongs");
            if (!entry.Shape.SequenceEqual(required.Shape))
            {
                throw new WeftException(
                    $"{path}: tensor '{entry.Name}' has shape [{string.Join(", ", entry.Shape)}], expected [{string.Join(", ", required.Shape)}]");
            }

            CheckQuantization(path, entry);
            if (required.IsVector && entry.DataType != DataType.Float32)
                throw new WeftException($"{path}: tensor '{entry.Name}' is a vector of type {entry.DataType.Name()}, expected f32");
        }

        if (index < header.Tensors.Count)
            throw new WeftException($"{path}: tensor '{header.Tensors[index].Name}' does not belong to this model");
    }

    private static void CheckQuantization(string path, TensorEntry entry)
    {
        if (entry.DataType.IsQuantized() != (entry.Quantization is not null) || entry.DataType.IsQuantized() != (entry.Layout == TensorLayout.Tiles))
            throw new WeftException($"{path}: tensor '{entry.Name}' has the type {entry.DataType.Name()}, but its layout or quantization is another's");
        if (entry.Quantization is not { } quantization)
            return;
        if (entry.Shape.Count != 2 || entry.Name is TensorSchema.Embedding)
            throw new WeftException($"{path}: tensor '{entry.Name}' is quantized, which it cannot be");
        if (entry.DataType == DataType.Mxfp4 && quantization is not { GroupSize: 32, ZeroPoints: false, Permuted: false })
            throw new WeftException($"{path}: tensor '{entry.Name}' has the type mxfp4, whose groups have 32 columns in order and no zero points");
        if (quantization is { Fractional: true, ZeroPoints: false })
            throw new WeftException($"{path}: tensor '{entry.Name}' has fractional zero points, but no zero points");
        if (!QuantizedLayout.IsGroupSize(quantization.GroupSize, entry.Shape[1]))
            throw new WeftException($"{path}: tensor '{entry.Name}' has groups of {quantization.GroupSize} of {entry.Shape[1]} columns; they can be {QuantizedLayout.GroupSizes}");
    }

    private static void CheckPlaces(string path, IReadOnlyList<TensorEntry> tensors, long end, long fileLength)
    {
        foreach (var entry in tensors)
        {
            var expected = ByteLength(path, entry);
            if (entry.Length != expected)
                throw new WeftException($"{path}: tensor '{entry.Name}' has {entry.Length} bytes, but its shape and type take {expected}");
            if (entry.Offset % WeftFormat.Alignment != 0)
                throw new WeftException($"{path}: tensor '{entry.Name}' starts at {entry.Offset}, which is no multiple of {WeftFormat.Alignment}");
            if (entry.Offset < end)
                throw new WeftException($"{path}: tensor '{entry.Name}' starts at {entry.Offset}, inside what comes before it");
            if (entry.Offset != WeftFormat.Align(end))
                throw new WeftException($"{path}: tensor '{entry.Name}' starts at {entry.Offset}, expected {WeftFormat.Align(end)}");
            if (entry.Length > fileLength - entry.Offset)
                throw new WeftException($"{path}: the file ends inside tensor '{entry.Name}' (it has {fileLength} bytes and needs {entry.Offset + entry.Length})");
            end = entry.Offset + entry.Length;
        }

        if (fileLength != end)
            throw new WeftException($"{path}: {fileLength - end} bytes follow the last tensor");
    }

    private static long ByteLength(string path, TensorEntry entry)
    {
        try
        {
            return WeftFormat.ByteLength(entry);
        }
        catch (OverflowException exception)
        {
            throw new WeftException($"{path}: tensor '{entry.Name}' has the shape [{string.Join(", ", entry.Shape)}], which no file can hold", exception);
        }
    }
}

using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Weft.Tokenizers;

namespace Weft.Weights;

/// <summary>
/// The long lists of a tokenizer as bytes, which the header's JSON holds in Base64: hundreds of thousands of JSON values would take a program
/// that has just started a third of a second to read. Numbers are 4 bytes each, scores 8 where 4 do not hold them; a text is a u16, its length in UTF-8 plus one, and its bytes, a null the u16 0.
/// </summary>
internal static class PackedLists
{
    private const int LengthSize = 2;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Packs texts.</summary>
    /// <exception cref="WeftException">One is too long.</exception>
    public static ReadOnlySpan<byte> Pack(IReadOnlyList<string?> texts)
    {
        var bytes = new ArrayBufferWriter<byte>(8 * (texts.Count + 1));
        foreach (var text in texts)
        {
            var length = text is null ? -1 : Encoding.UTF8.GetByteCount(text);
            if (length >= ushort.MaxValue)
                throw new WeftException($"a token has {length} bytes; {ushort.MaxValue - 1} are possible");
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.GetSpan(LengthSize), (ushort)(length + 1));
            bytes.Advance(LengthSize);
            if (length > 0)
                Encoding.UTF8.GetBytes(text, bytes);
        }

        return bytes.WrittenSpan;
    }

    /// <summary>Unpacks texts.</summary>
    /// <returns>Null where the bytes are no such list.</returns>
    public static string?[]? UnpackTexts(ReadOnlySpan<byte> bytes)
    {
        var texts = new List<string?>(bytes.Length / 8);
        while (bytes.Length >= LengthSize)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(bytes) - 1;
            bytes = bytes[LengthSize..];
            if (length > bytes.Length || texts.Count > TokenizerCheck.HighestId)
                return null;
            try
            {
                texts.Add(length < 0 ? null : Strict.GetString(bytes[..length]));
            }
            catch (DecoderFallbackException)
            {
                return null;
            }

            bytes = bytes[Math.Max(length, 0)..];
        }

        return bytes.IsEmpty ? [.. texts] : null;
    }

    /// <summary>Packs numbers.</summary>
    public static ReadOnlySpan<byte> Pack<T>(IReadOnlyList<T> numbers)
        where T : unmanaged =>
        MemoryMarshal.AsBytes<T>(numbers.ToArray());

    /// <summary>Unpacks numbers.</summary>
    /// <returns>Null where the bytes are no such list.</returns>
    public static T[]? Unpack<T>(ReadOnlySpan<byte> bytes)
        where T : unmanaged =>
        bytes.Length % Unsafe.SizeOf<T>() == 0 ? MemoryMarshal.Cast<byte, T>(bytes).ToArray() : null;

    /// <summary>Packs scores: SentencePiece has them in single precision, only those of other trainers need double.</summary>
    public static ReadOnlySpan<byte> PackScores(IReadOnlyList<double> scores) =>
        scores.All(score => (float)score == score) ? Pack([.. scores.Select(score => (float)score)]) : Pack(scores);

    /// <summary>Unpacks the scores of so many tokens.</summary>
    /// <returns>Null where the bytes are no such list.</returns>
    public static double[]? UnpackScores(ReadOnlySpan<byte> bytes, int count) =>
        bytes.Length == (long)count * sizeof(double) ? Unpack<double>(bytes) : Unpack<float>(bytes) is { } singles ? Array.ConvertAll(singles, score => (double)score) : null;
}

/// <summary>Writes texts packed.</summary>
internal sealed class PackedTextsConverter : JsonConverter<IReadOnlyList<string?>>
{
    /// <inheritdoc/>
    public override IReadOnlyList<string?> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException(WeftJson.OneWay);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IReadOnlyList<string?> value, JsonSerializerOptions options) =>
        writer.WriteBase64StringValue(PackedLists.Pack(value));
}

/// <summary>Writes ids packed.</summary>
internal sealed class PackedIdsConverter : JsonConverter<IReadOnlyList<int>>
{
    /// <inheritdoc/>
    public override IReadOnlyList<int> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException(WeftJson.OneWay);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IReadOnlyList<int> value, JsonSerializerOptions options) =>
        writer.WriteBase64StringValue(PackedLists.Pack(value));
}

/// <summary>Writes scores packed.</summary>
internal sealed class PackedScoresConverter : JsonConverter<IReadOnlyList<double>>
{
    /// <inheritdoc/>
    public override IReadOnlyList<double> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException(WeftJson.OneWay);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IReadOnlyList<double> value, JsonSerializerOptions options) =>
        writer.WriteBase64StringValue(PackedLists.PackScores(value));
}

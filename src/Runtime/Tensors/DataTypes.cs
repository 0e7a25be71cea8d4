using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weft.Tensors;

/// <summary>Sizes and the short names (<c>f32</c>, <c>f16</c>, <c>bf16</c>, <c>int4</c>, <c>int8</c>, <c>mxfp4</c>) that files and command lines use.</summary>
public static class DataTypes
{
    /// <summary>Bytes of one element; codes have no size of their own, they come in tiles.</summary>
    public static int Size(this DataType type) => type switch
    {
        DataType.Float32 => 4,
        DataType.Float16 or DataType.BFloat16 => 2,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "quantized weights are stored in tiles"),
    };

    /// <summary>The type holds codes.</summary>
    public static bool IsQuantized(this DataType type) => type is DataType.Int4 or DataType.Int8 or DataType.Mxfp4;

    /// <summary>The short name, as written in packed files.</summary>
    public static string Name(this DataType type) => type switch
    {
        DataType.Float32 => "f32",
        DataType.Float16 => "f16",
        DataType.BFloat16 => "bf16",
        DataType.Int4 => "int4",
        DataType.Int8 => "int8",
        DataType.Mxfp4 => "mxfp4",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    /// <summary>Reads a short name.</summary>
    /// <returns>False when <paramref name="name"/> is none of them.</returns>
    public static bool TryParse(string? name, out DataType type)
    {
        (type, var known) = name switch
        {
            "f32" => (DataType.Float32, true),
            "f16" => (DataType.Float16, true),
            "bf16" => (DataType.BFloat16, true),
            "int4" => (DataType.Int4, true),
            "int8" => (DataType.Int8, true),
            "mxfp4" => (DataType.Mxfp4, true),
            _ => (default, false),
        };
        return known;
    }
}

/// <summary>Writes a <see cref="DataType"/> as its short name.</summary>
public sealed class DataTypeJsonConverter : JsonConverter<DataType>
{
    /// <inheritdoc/>
    public override DataType Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var name = reader.GetString();
        return DataTypes.TryParse(name, out var type) ? type : throw new JsonException($"unknown data type '{name}'");
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, DataType value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Name());
}

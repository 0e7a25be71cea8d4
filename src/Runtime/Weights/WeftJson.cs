using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Weft.Models;
using Weft.Tokenizers;

namespace Weft.Weights;

/// <summary>
/// How a header is written as JSON: snake_case, enumerations as words, optional members left out when they hold their type's default. <see cref="WeftHeaderParser"/>
/// reads it.
/// </summary>
internal static class WeftJson
{
    /// <summary>What the serializer needs to write one.</summary>
    public static JsonTypeInfo<WeftHeader> Header { get; } = (JsonTypeInfo<WeftHeader>)Options().GetTypeInfo(typeof(WeftHeader));

    /// <summary>What converters say that cannot read.</summary>
    public const string OneWay = "headers are read by their parser";

    private static JsonSerializerOptions Options() => new(WeftJsonContext.Default.Options)
    {
        // Tokenizers hold every script: escaping would triple their size, and no HTML page ever embeds this JSON.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = WeftJsonContext.Default.WithAddedModifier(WriteRequiredMembers),
    };

    // A required member is written even when it holds its type's default; otherwise the reader would miss it.
    private static void WriteRequiredMembers(JsonTypeInfo type)
    {
        foreach (var property in type.Properties)
        {
            if (property.IsRequired || property.AssociatedParameter is { HasDefaultValue: false, IsMemberInitializer: false })
                property.ShouldSerialize = static (_, _) => true;
        }
    }
}

[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    Converters =
    [
        typeof(SnakeCaseConverter<TensorLayout>),
        typeof(SnakeCaseConverter<NormKind>),
        typeof(SnakeCaseConverter<RotaryScalingKind>),
        typeof(SnakeCaseConverter<Activation>),
        typeof(SnakeCaseConverter<RouterScore>),
        typeof(SnakeCaseConverter<TimeMixKind>),
        typeof(SnakeCaseConverter<StateSpaceKind>),
        typeof(SnakeCaseConverter<NormalizerKind>),
        typeof(SnakeCaseConverter<PreTokenizerKind>),
        typeof(SnakeCaseConverter<SplitBehavior>),
        typeof(SnakeCaseConverter<TokenModelKind>),
        typeof(SnakeCaseConverter<DecoderKind>),
    ])]
[JsonSerializable(typeof(WeftHeader))]
internal sealed partial class WeftJsonContext : JsonSerializerContext;

/// <summary>Writes an enumeration as a snake_case word.</summary>
internal sealed class SnakeCaseConverter<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where T : struct, Enum;

/// <summary>Writes a checksum as eight lower-case hexadecimal digits, so that a header's length does not depend on its values.</summary>
internal sealed class ChecksumConverter : JsonConverter<uint>
{
    /// <inheritdoc/>
    public override uint Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException(WeftJson.OneWay);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, uint value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString("x8", CultureInfo.InvariantCulture));
}

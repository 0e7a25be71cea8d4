using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Weft.Load;
using Weft.Load.Report;
using Weft.Models;

namespace Weft.Cli.Output;

/// <summary>The JSON that verbs print with --json: snake_case names, every member always there.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    Converters =
    [
        typeof(SnakeCaseWords<NormKind>),
        typeof(SnakeCaseWords<RotaryScalingKind>),
        typeof(SnakeCaseWords<Activation>),
        typeof(SnakeCaseWords<RouterScore>),
        typeof(SnakeCaseWords<LoadEndpoint>),
    ])]
[JsonSerializable(typeof(BenchReport))]
[JsonSerializable(typeof(EvalReport))]
[JsonSerializable(typeof(InspectReport))]
[JsonSerializable(typeof(LoadReport))]
[JsonSerializable(typeof(TokenizeReport))]
[JsonSerializable(typeof(VerifyReport))]
[JsonSerializable(typeof(IReadOnlyList<VerifyRow>))]
internal sealed partial class CliJson : JsonSerializerContext;

/// <summary>Writes an enumeration as packed files do.</summary>
internal sealed class SnakeCaseWords<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.SnakeCaseLower)
    where T : struct, Enum;

/// <summary>Writes reports.</summary>
internal static class JsonOutput
{
    /// <summary>Writes <paramref name="report"/> and a line break; text stays readable instead of being escaped for HTML.</summary>
    public static void WriteJson<T>(this TextWriter writer, T report, JsonTypeInfo<T> type)
    {
        var options = new JsonSerializerOptions(type.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        writer.WriteLine(JsonSerializer.Serialize(report, (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T))));
    }
}

using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weft.Profile.Documents;

/// <summary>
/// What every profile writes and <c>compare</c> and <c>report</c> read: rows of named figures. The JSON has one line a row, so that a
/// baseline under version control shows what changed.
/// </summary>
/// <param name="Format">Of the file: <see cref="CurrentFormat"/>.</param>
/// <param name="Profile">static, sim, gpu or model.</param>
/// <param name="Environment">What figures depend on beside the code; documents with different ones are not comparable.</param>
/// <param name="Rows">The figures.</param>
internal sealed record ProfileDocument(
    int Format, string Profile, IReadOnlyDictionary<string, string> Environment, IReadOnlyList<ProfileRow> Rows)
{
    /// <summary>The format that this program reads and writes.</summary>
    public const int CurrentFormat = 1;

    // < and > of name expressions stay readable.
    private static readonly DocumentJson Json = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    /// <summary>A document of this format.</summary>
    public static ProfileDocument Of(string profile, IEnumerable<(string Name, string Value)> environment, IEnumerable<ProfileRow> rows) =>
        new(CurrentFormat, profile, new SortedDictionary<string, string>(environment.ToDictionary(e => e.Name, e => e.Value), StringComparer.Ordinal), [.. rows]);

    /// <summary>Reads a file.</summary>
    /// <exception cref="WeftException">It is not there, not a profile, of another format or without rows.</exception>
    public static ProfileDocument Read(string path)
    {
        ProfileDocument? document;
        try
        {
            document = JsonSerializer.Deserialize(File.ReadAllText(path), Json.ProfileDocument);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new WeftException(failure.Message, failure);
        }
        catch (JsonException failure)
        {
            throw new WeftException($"{path} is not a profile: {failure.Message}", failure);
        }

        if (document is not { Profile: not null, Environment: not null, Rows: not null })
            throw new WeftException($"{path} is not a profile: it lacks profile, environment or rows");
        if (document.Format != CurrentFormat)
            throw new WeftException($"{path} is of format {document.Format}; this version reads {CurrentFormat}: make it anew");
        if (document.Rows.Count == 0)
            throw new WeftException($"{path} has no rows");
        return document;
    }

    /// <summary>Writes a file.</summary>
    /// <exception cref="WeftException">It cannot be written.</exception>
    public void Write(string path)
    {
        var head = JsonSerializer.Serialize(this with { Rows = [] }, Json.ProfileDocument);
        var text = new StringBuilder(head, 0, head.LastIndexOf("[]", StringComparison.Ordinal), head.Length).Append('[');
        for (var i = 0; i < Rows.Count; i++)
            text.Append(i == 0 ? "\n" : ",\n").Append(JsonSerializer.Serialize(Rows[i], Json.ProfileRow));
        text.Append("\n]}\n");
        OutputFile.Write(path, text.ToString());
    }
}

/// <summary>Figures of one thing that was profiled.</summary>
/// <param name="Kernel">Name for people: <c>norm</c>, or a graph node.</param>
/// <param name="Instance">What exactly ran: a name expression, or empty.</param>
/// <param name="Shape">Sizes, or empty where the figures hold for all.</param>
/// <param name="Target">Architecture, GPU or device.</param>
/// <param name="Metrics">Figures by the names of <see cref="Metric.All"/>.</param>
/// <param name="Samples">Repetitions of timed metrics, microseconds.</param>
/// <param name="Source">Hash of what figures follow from beside environment and target, where they follow from nothing else.</param>
internal sealed record ProfileRow(
    string Kernel, string Instance, string Shape, string Target, IReadOnlyDictionary<string, double> Metrics,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyDictionary<string, double[]>? Samples = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Source = null)
{
    /// <summary>What two documents match rows by. The instance is part of it only where nothing else tells rows apart.</summary>
    [JsonIgnore]
    public (string Kernel, string Instance, string Shape, string Target) Key => (Kernel, Shape.Length == 0 ? Instance : "", Shape, Target);
}

/// <summary>Serialises documents without reflection.</summary>
[JsonSerializable(typeof(ProfileDocument))]
[JsonSerializable(typeof(ProfileRow))]
internal sealed partial class DocumentJson : JsonSerializerContext;

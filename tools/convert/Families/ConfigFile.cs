using System.Text.Json;
using Weft.Convert.Checkpoints;

namespace Weft.Convert.Families;

/// <summary>A config.json: typed members, every complaint a sentence that names the file and the member.</summary>
internal sealed class ConfigFile
{
    private readonly string path;
    private readonly JsonElement root;
    private readonly string prefix;

    private ConfigFile(string path, JsonElement root, string prefix) => (this.path, this.root, this.prefix) = (path, root, prefix);

    /// <summary>Reads a file.</summary>
    public static ConfigFile Open(string path)
    {
        using var document = JsonFile.Parse(path);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new WeftException($"{path}: this is not a JSON object");
        return new ConfigFile(path, document.RootElement.Clone(), "");
    }

    /// <summary>A complaint about this file.</summary>
    public WeftException Error(string sentence) => new($"{path}: {sentence}");

    /// <summary>Whether a member is there and not null.</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>Whether a member is there and null.</summary>
    public bool IsNull(string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>A whole number.</summary>
    /// <param name="name">Member.</param>
    /// <param name="whenMissing">Its value when the file leaves it out; null makes it required.</param>
    public int Int(string name, int? whenMissing = null) => Find(name) switch
    {
        null => whenMissing ?? throw Missing(name),
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt32(out var number) => number,
        // Some writers store 4096 as 4096.0.
        { ValueKind: JsonValueKind.Number } value when value.GetDouble() is var number && number == (int)number => (int)number,
        _ => throw Wrong(name, "a whole number"),
    };

    /// <summary>A number.</summary>
    public double Double(string name, double? whenMissing = null) => Find(name) switch
    {
        null => whenMissing ?? throw Missing(name),
        { ValueKind: JsonValueKind.Number } value => value.GetDouble(),
        _ => throw Wrong(name, "a number"),
    };

    /// <summary>True or false.</summary>
    public bool Bool(string name, bool whenMissing) => Find(name) switch
    {
        null => whenMissing,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw Wrong(name, "true or false"),
    };

    /// <summary>A text, or null when it is missing.</summary>
    public string? String(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        _ => throw Wrong(name, "a text"),
    };

    /// <summary>A list of texts; empty when it is missing.</summary>
    public IReadOnlyList<string> Strings(string name) => Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } value when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) =>
            [.. value.EnumerateArray().Select(item => item.GetString()!)],
        _ => throw Wrong(name, "a list of texts"),
    };

    /// <summary>A whole number or a list of them; empty when it is missing.</summary>
    public IReadOnlyList<int> Ints(string name) => Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } value when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out _)) =>
            [.. value.EnumerateArray().Select(item => item.GetInt32())],
        _ => [Int(name)],
    };

    /// <summary>A list of numbers; empty when it is missing.</summary>
    public IReadOnlyList<double> Doubles(string name) => Find(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } value when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number) =>
            [.. value.EnumerateArray().Select(item => item.GetDouble())],
        _ => throw Wrong(name, "a list of numbers"),
    };

    /// <summary>An object inside this one, or null when it is missing.</summary>
    public ConfigFile? Object(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new ConfigFile(path, value, $"{prefix}{name}."),
        _ => throw Wrong(name, "an object"),
    };

    /// <summary>A member of a shape that only one family has, or null when it is missing.</summary>
    public JsonElement? Json(string name) => Find(name);

    private JsonElement? Find(string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private WeftException Missing(string name) => Error($"'{prefix}{name}' is missing");

    private WeftException Wrong(string name, string expected) => Error($"'{prefix}{name}' must be {expected}");
}

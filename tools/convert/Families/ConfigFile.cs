using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Convert.Checkpoints;

namespace Weft.Convert.Families;

/// <summary>A config.json: typed members, every complaint a sentence that names the file and the member.</summary>
internal sealed class ConfigFile
{
    // Lists of labels and of modules make some of a few megabytes.
    private const int LongestFile = 8 << 20;

    // Hundreds are many. What a config says wrong is found by trying others of its members.
    private const int MostMembers = 4096;

    private readonly string path;
    private readonly Dictionary<string, JsonElement> members;
    private readonly string prefix;
    private readonly HashSet<string> asked;
    private readonly HashSet<string>? lacking; // null where what is missing is an error

    private ConfigFile(string path, JsonElement root)
        : this(path, MembersOf(root), "", [], null)
    {
    }

    private ConfigFile(string path, Dictionary<string, JsonElement> members, string prefix, HashSet<string> asked, HashSet<string>? lacking)
    {
        if (prefix.Length == 0 && members.Count > MostMembers)
            throw new WeftException($"{path}: it has more than {MostMembers} members, which no config has");
        (this.path, this.members, this.prefix, this.asked, this.lacking) = (path, members, prefix, asked, lacking);
    }

    /// <summary>The file's folder.</summary>
    public string Folder => Path.GetDirectoryName(path) ?? "";

    /// <summary>Members of the file that somebody asked for; those of objects inside have the object's name and a dot before their own.</summary>
    public IReadOnlySet<string> Asked => asked;

    /// <summary>The same file, of which nobody has asked for anything.</summary>
    public ConfigFile Afresh() => new(path, members, prefix, [], null);

    /// <summary>The same, in which a number that is missing is 1, and written down.</summary>
    public ConfigFile Leniently() => new(path, members, prefix, [], []);

    /// <summary>Members that somebody had to have and that are missing, where that is no error.</summary>
    public IReadOnlyCollection<string> Lacking => lacking ?? [];

    /// <summary>All members of this object.</summary>
    public IEnumerable<KeyValuePair<string, JsonElement>> Members => members;

    /// <summary>Reads a file.</summary>
    public static ConfigFile Open(string path)
    {
        using var document = JsonFile.Parse(path, LongestFile);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new WeftException($"{path}: this is not a JSON object");
        return new ConfigFile(path, document.RootElement.Clone());
    }

    /// <summary>Takes a text for a file.</summary>
    public static ConfigFile Parse(string path, string text)
    {
        using var document = JsonDocument.Parse(text);
        return new ConfigFile(path, document.RootElement.Clone());
    }

    /// <summary>Another JSON object in the same folder, or null where there is no such file.</summary>
    public ConfigFile? Beside(string name) => Path.Combine(Folder, name) is var other && File.Exists(other) ? Open(other) : null;

    /// <summary>A complaint about this file.</summary>
    public WeftException Error(string sentence) => new($"{path}: {sentence}");

    /// <summary>Whether a member is there and not null.</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>Whether a member is a list of nothing.</summary>
    public bool IsEmpty(string name) => Find(name) is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 0;

    /// <summary>Whether a member is there and null.</summary>
    public bool IsNull(string name) => members.TryGetValue(name, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>The same file once for each size and each flag that was asked for, which has another value there.</summary>
    public IEnumerable<(string Member, ConfigFile Other)> Alternatives
    {
        get
        {
            foreach (var (name, value) in members.Where(member => asked.Contains(member.Key)).ToList())
            {
                JsonNode? other = value.ValueKind switch
                {
                    JsonValueKind.Number when value.TryGetInt32(out var size) && size is > 0 and <= int.MaxValue / 2 => 2 * size,
                    JsonValueKind.True => false,
                    JsonValueKind.False => true,
                    _ => null,
                };
                if (other is not null)
                    yield return ($"{name} {value.GetRawText()}", With((name, other)));
            }
        }
    }

    /// <summary>The same file with other values of some members.</summary>
    public ConfigFile With(params IEnumerable<(string Name, JsonNode? Value)> others)
    {
        var changed = new Dictionary<string, JsonElement>(members);
        foreach (var (name, value) in others)
        {
            using var document = JsonDocument.Parse(value?.ToJsonString() ?? "null");
            changed[name] = document.RootElement.Clone();
            if (changed.Count > MostMembers)
                break;
        }

        return new(path, changed, prefix, [], null);
    }

    /// <summary>A whole number.</summary>
    /// <param name="name">Member.</param>
    /// <param name="whenMissing">Its value when the file leaves it out; null makes it required.</param>
    public int Int(string name, int? whenMissing = null) => Find(name) switch
    {
        null => whenMissing ?? StandIn(name),
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt32(out var number) => number,
        // Some writers store 4096 as 4096.0.
        { ValueKind: JsonValueKind.Number } value when value.GetDouble() is var number && number == (int)number => (int)number,
        _ => throw Wrong(name, "a whole number"),
    };

    /// <summary>A number of tokens: what is too large for one, as 1e30, says that there is no end, and is the largest.</summary>
    public int Length(string name, int? whenMissing = null) =>
        Find(name) is { ValueKind: JsonValueKind.Number } value && value.GetDouble() >= int.MaxValue ? int.MaxValue : Int(name, whenMissing);

    /// <summary>A number.</summary>
    public double Double(string name, double? whenMissing = null) => Find(name) switch
    {
        null => whenMissing ?? StandIn(name),
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
        { ValueKind: JsonValueKind.Object } value => new ConfigFile(path, MembersOf(value), $"{prefix}{name}.", asked, lacking),
        _ => throw Wrong(name, "an object"),
    };

    /// <summary>A member of a shape that only one family has, or null when it is missing.</summary>
    public JsonElement? Json(string name) => Find(name);

    /// <summary>Members by name: the document itself looks through all of them.</summary>
    private static Dictionary<string, JsonElement> MembersOf(JsonElement value) => value.EnumerateObject().ToDictionary(member => member.Name, member => member.Value);

    private JsonElement? Find(string name)
    {
        asked.Add(prefix + name);
        return members.TryGetValue(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    private int StandIn(string name)
    {
        if (lacking is null)
            throw Error($"'{prefix}{name}' is missing");
        lacking.Add(prefix + name);
        return 1;
    }

    private WeftException Wrong(string name, string expected) => Error($"'{prefix}{name}' must be {expected}");
}

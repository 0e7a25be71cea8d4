using System.Text.Json;
using Weft.Daemon.Errors;

namespace Weft.Daemon.Json;

/// <summary>
/// The fields of a request's JSON object. A field that is missing or null is not given; one of a wrong type is an error that names it; fields
/// that nobody asks for are ignored, as OpenAI does.
/// </summary>
internal readonly struct Fields
{
    private readonly JsonElement element;
    private readonly string path;

    /// <summary>Takes an object.</summary>
    /// <param name="element">The value.</param>
    /// <param name="path">Where it stands in the request: <c>messages[0].</c>; empty for the whole.</param>
    /// <exception cref="ApiException">It is not an object.</exception>
    public Fields(JsonElement element, string path = "")
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw Wrong(path.TrimEnd('.') is { Length: > 0 } name ? name : null, "an object", element);
        (this.element, this.path) = (element, path);
    }

    /// <summary>A field of any type; null when it is not given.</summary>
    public JsonElement? Any(string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined) ? value : null;

    public string? Text(string name) => Any(name) is { } value ? Text(value, path + name) : null;

    public bool? Flag(string name) => Any(name) is { } value
        ? value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(path + name, "true or false", value)
        : null;

    public double? Number(string name) => Any(name) is { } value ? Number(value, path + name) : null;

    public float? Single(string name) => (float?)Number(name);

    public int? Integer(string name) => Any(name) is { } value ? Integer(value, path + name) : null;

    public long? Long(string name) => Any(name) is { } value
        ? value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : Integer(value, path + name)
        : null;

    public Fields? Object(string name) => Any(name) is { } value ? new Fields(value, path + name + ".") : null;

    /// <summary>The elements of an array with their names; null when it is not given.</summary>
    public IReadOnlyList<(JsonElement Value, string Name)>? Array(string name)
    {
        if (Any(name) is not { } value)
            return null;
        var full = path + name;
        return value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select((item, i) => (item, $"{full}[{i}]"))]
            : throw Wrong(full, "an array", value);
    }

    /// <summary>A text or an array of texts; empty when it is not given.</summary>
    public IReadOnlyList<string> Texts(string name) => Any(name) switch
    {
        null => [],
        { ValueKind: JsonValueKind.Array } => [.. Array(name)!.Select(item => Text(item.Value, item.Name))],
        { } value => [Text(value, path + name)],
    };

    /// <summary>An array of whole numbers; empty when it is not given.</summary>
    public IReadOnlyList<int> Integers(string name) => Any(name) is { } value ? Integers(value, path + name) : [];

    /// <summary>The whole numbers of an array.</summary>
    public static int[] Integers(JsonElement array, string name)
    {
        if (array.ValueKind != JsonValueKind.Array)
            throw Wrong(name, "an array", array);
        var numbers = new int[array.GetArrayLength()];
        var count = 0;
        foreach (var item in array.EnumerateArray())
        {
            // A name is made where it is needed: there may be millions of numbers.
            numbers[count] = TryInteger(item, out var number) ? number : throw Wrong($"{name}[{count}]", "a whole number", item);
            count++;
        }

        return numbers;
    }

    /// <summary>Every field.</summary>
    public IEnumerable<(string Name, JsonElement Value, string Path)> All()
    {
        var prefix = path;
        return element.EnumerateObject().Select(property => (property.Name, property.Value, prefix + property.Name));
    }

    public static string Text(JsonElement value, string name)
    {
        if (value.ValueKind != JsonValueKind.String)
            throw Wrong(name, "a string", value);
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw ApiException.BadRequest($"'{name}' holds half of a surrogate pair, which is no text.", name);
        }
    }

    public static double Number(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : throw Wrong(name, "a number", value);

    public static int Integer(JsonElement value, string name)
    {
        return TryInteger(value, out var number) ? number : throw Wrong(name, "a whole number", value);
    }

    private static bool TryInteger(JsonElement value, out int number)
    {
        number = 0;
        if (value.ValueKind != JsonValueKind.Number)
            return false;
        if (value.TryGetInt32(out number))
            return true;
        // 16.0 is a whole number, too: some clients have no other.
        if (!value.TryGetDouble(out var real) || real != Math.Floor(real) || Math.Abs(real) > int.MaxValue)
            return false;
        number = (int)real;
        return true;
    }

    public static ApiException Wrong(string? name, string expected, JsonElement actual)
    {
        var kind = actual.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "an array",
            JsonValueKind.String => "a string",
            JsonValueKind.Number => "the number " + (actual.GetRawText() is { Length: < 40 } text ? text : "given"),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => "null",
        };
        return ApiException.BadRequest($"{(name is null ? "The request's body" : $"'{name}'")} must be {expected}, but is {kind}.", name);
    }
}

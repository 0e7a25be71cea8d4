using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Weft.Weights;

/// <summary>
/// One object of a header's JSON, read member by member; <see cref="WeftHeaderParser"/> says which members there are. A member that is left out or null is the
/// null that the methods with OrNull give, an error in the others; one that nobody asked for is an error in the end: skipping a building block would compute nonsense.
/// </summary>
/// <remarks>Not the serializer of System.Text.Json: that compiles a hundred methods for each enumeration that a member has, a fifth of a program's start.</remarks>
internal sealed class HeaderObject
{
    private readonly JsonElement json;
    private readonly HeaderObject? parent;
    private readonly string name;
    private readonly int index;
    private readonly List<string> asked = [];

    private HeaderObject(JsonElement json, HeaderObject? parent, string name, int index)
    {
        (this.json, this.parent, this.name, this.index) = (json, parent, name, index);
        if (json.ValueKind != JsonValueKind.Object)
            throw new JsonException($"{this} is no object");
    }

    /// <summary>Reads <paramref name="json"/> as one object; all of its members, and theirs, have to be asked for by <paramref name="read"/>.</summary>
    /// <exception cref="JsonException">It says something else; the message begins with where.</exception>
    public static T Parse<T>(ReadOnlyMemory<byte> json, Func<HeaderObject, T> read)
        where T : class
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Read(new HeaderObject(document.RootElement, null, "$", -1), read);
        }
        catch (InvalidOperationException exception)
        {
            throw new JsonException("a text is not Unicode", exception);
        }
    }

    public bool Flag(string member) => Flag(Get(member), member);

    /// <summary>False when it is left out.</summary>
    public bool FlagOrFalse(string member) => Find(member) is { } value && Flag(value, member);

    public int Int32(string member) => Int32(Get(member), member);

    public int? Int32OrNull(string member) => Find(member) is { } value ? Int32(value, member) : null;

    public long Int64(string member) => Get(member) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number) ? number : throw Wrong(member, "whole number");

    public float Single(string member) => Single(Get(member), member);

    public float? SingleOrNull(string member) => Find(member) is { } value ? Single(value, member) : null;

    public double Double(string member) => Double(Get(member), member);

    public double? DoubleOrNull(string member) => Find(member) is { } value ? Double(value, member) : null;

    public string Text(string member) => Text(Get(member), member);

    public string? TextOrNull(string member) => Find(member) is { } value ? Text(value, member) : null;

    /// <summary>An enumeration's value as a word in snake_case.</summary>
    public T Word<T>(string member)
        where T : struct, Enum =>
        Word<T>(Get(member), member);

    /// <summary>The value that is zero when it is left out.</summary>
    public T WordOrDefault<T>(string member)
        where T : struct, Enum =>
        Find(member) is { } value ? Word<T>(value, member) : default;

    public T Object<T>(string member, Func<HeaderObject, T> read)
        where T : class =>
        Read(new HeaderObject(Get(member), this, member, -1), read);

    public T? ObjectOrNull<T>(string member, Func<HeaderObject, T> read)
        where T : class =>
        Find(member) is { } value ? Read(new HeaderObject(value, this, member, -1), read) : null;

    public T[] Objects<T>(string member, Func<HeaderObject, T> read)
        where T : class =>
        Objects(Get(member), member, read);

    /// <summary>None when it is left out.</summary>
    public T[] ObjectsOrNone<T>(string member, Func<HeaderObject, T> read)
        where T : class =>
        Find(member) is { } value ? Objects(value, member, read) : [];

    public int[] Int32s(string member) => List(Get(member), member, Int32);

    public int[]? Int32sOrNull(string member) => Find(member) is { } value ? List(value, member, Int32) : null;

    public float[]? SinglesOrNull(string member) => Find(member) is { } value ? List(value, member, Single) : null;

    public double[]? DoublesOrNull(string member) => Find(member) is { } value ? List(value, member, Double) : null;

    public string[]? TextsOrNull(string member) => Find(member) is { } value ? List(value, member, Text) : null;

    /// <summary>A list of texts, some of which may be null, as <see cref="PackedLists"/> packs them.</summary>
    public string?[] PackedTexts(string member) => PackedLists.UnpackTexts(Bytes(Get(member), member)) ?? throw Wrong(member, "list of texts in Base64");

    /// <summary>A list of ids, as <see cref="PackedLists"/> packs them.</summary>
    public int[]? PackedIdsOrNull(string member) =>
        Find(member) is { } value ? PackedLists.Unpack<int>(Bytes(value, member)) ?? throw Wrong(member, "list of ids in Base64") : null;

    /// <summary>Scores of so many tokens, as <see cref="PackedLists"/> packs them.</summary>
    public double[]? PackedScoresOrNull(string member, int count) =>
        Find(member) is { } value ? PackedLists.UnpackScores(Bytes(value, member), count) ?? throw Wrong(member, "list of scores in Base64") : null;

    /// <summary>Texts by names that the format does not know.</summary>
    public Dictionary<string, string>? TextsByNameOrNull(string member)
    {
        if (Find(member) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Object)
            throw Wrong(member, "object");
        var texts = new Dictionary<string, string>();
        foreach (var property in value.EnumerateObject())
            texts.Add(property.Name, Text(property.Value, member));
        return texts;
    }

    /// <summary>Says what is wrong with a member.</summary>
    public JsonException Wrong(string member, string expected) => new($"{this}.{member} is no {expected}");

    /// <summary>Where it stands, such as <c>$.model.layers[3].attention</c>.</summary>
    public override string ToString() => (parent is null ? name : $"{parent}.{name}") + (index < 0 ? "" : $"[{index}]");

    private static T Read<T>(HeaderObject value, Func<HeaderObject, T> read)
    {
        var result = read(value);
        value.RefuseOthers();
        return result;
    }

    private void RefuseOthers()
    {
        var unknown = json.GetPropertyCount();
        foreach (var member in asked)
            unknown -= json.TryGetProperty(member, out _) ? 1 : 0;
        if (unknown > 0)
            throw new JsonException($"{this}.{json.EnumerateObject().First(property => !asked.Contains(property.Name)).Name} is not known");
    }

    private JsonElement? Find(string member)
    {
        asked.Add(member);
        return json.TryGetProperty(member, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    private JsonElement Get(string member) => Find(member) ?? throw new JsonException($"{this}.{member} is missing");

    private bool Flag(JsonElement value, string member) => value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(member, "true or false"),
    };

    private int Int32(JsonElement value, string member) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : throw Wrong(member, "whole number of 32 bits");

    private float Single(JsonElement value, string member) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var number) ? number : throw Wrong(member, "number");

    private double Double(JsonElement value, string member) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) ? number : throw Wrong(member, "number");

    private string Text(JsonElement value, string member) => value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(member, "text");

    private byte[] Bytes(JsonElement value, string member) =>
        value.ValueKind == JsonValueKind.String && value.TryGetBytesFromBase64(out var bytes) ? bytes : throw Wrong(member, "Base64");

    // Enum.TryParse takes numbers and lists of names, too; they do not come back as the word.
    private T Word<T>(JsonElement value, string member)
        where T : struct, Enum
    {
        var word = Text(value, member);
        return Enum.TryParse(typeof(T), word.Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out var kind)
            && JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString()!) == word
                ? Unsafe.Unbox<T>(kind)
                : throw new JsonException($"{this}.{member} is '{word}', which is no {typeof(T).Name} that is known");
    }

    private T[] Objects<T>(JsonElement list, string member, Func<HeaderObject, T> read)
        where T : class
    {
        var objects = new T[Count(list, member)];
        var i = 0;
        foreach (var value in list.EnumerateArray())
        {
            objects[i] = Read(new HeaderObject(value, this, member, i), read);
            i++;
        }

        return objects;
    }

    private T[] List<T>(JsonElement list, string member, Func<JsonElement, string, T> read)
    {
        var values = new T[Count(list, member)];
        var i = 0;
        foreach (var value in list.EnumerateArray())
            values[i++] = read(value, member);
        return values;
    }

    private int Count(JsonElement list, string member) => list.ValueKind == JsonValueKind.Array ? list.GetArrayLength() : throw Wrong(member, "list");
}

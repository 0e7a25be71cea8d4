using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weft.Convert.Tokenizers;

/// <summary>Members that files leave out or set to null.</summary>
internal static class JsonElements
{
    public static JsonElement? Optional(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public static bool Flag(this JsonElement element, string name, bool whenMissing = false) =>
        element.Optional(name)?.GetBoolean() ?? whenMissing;

    /// <summary>A text; an empty one counts as none.</summary>
    public static string? Text(this JsonElement element, string name) =>
        element.Optional(name)?.GetString() is { Length: > 0 } text ? text : null;

    public static string? Type(this JsonElement element) => element.Optional("type")?.GetString();

    /// <summary>The literal text of a pattern; null when it is an expression, or empty, which stands between all characters as an expression does.</summary>
    public static string? Literal(this JsonElement element) => element.PatternText() is { Length: > 0 } text ? text : null;

    /// <summary>A pattern as an expression in .NET's syntax.</summary>
    public static string Expression(this JsonElement element) =>
        element.PatternText() is { } text ? Regex.Escape(text) : Oniguruma.Translate(
            element.GetProperty("pattern").GetProperty("Regex").GetString() ?? throw new WeftException("the tokenizer splits by an expression that is null"));

    private static string? PatternText(this JsonElement element) =>
        element.GetProperty("pattern") is { ValueKind: JsonValueKind.Object } pattern ? pattern.Optional("String")?.GetString() : element.GetProperty("pattern").GetString();
}

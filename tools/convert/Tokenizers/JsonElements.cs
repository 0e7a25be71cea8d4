using System.Text.Json;

namespace Weft.Convert.Tokenizers;

/// <summary>Members that files leave out or set to null.</summary>
internal static class JsonElements
{
    public static JsonElement? Optional(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public static bool Flag(this JsonElement element, string name, bool whenMissing = false) =>
        element.Optional(name)?.GetBoolean() ?? whenMissing;

    public static string? Type(this JsonElement element) => element.Optional("type")?.GetString();
}

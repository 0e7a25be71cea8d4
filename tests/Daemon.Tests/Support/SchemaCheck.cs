using System.Text.Json;

namespace Weft.Daemon.Tests.Support;

/// <summary>Checks JSON against the part of JSON Schema (2020-12) that the OpenAPI document uses; a keyword that is not known here is an error.</summary>
/// <param name="document">Where references lead.</param>
internal sealed class SchemaCheck(JsonElement document)
{
    /// <summary>What is wrong with a value, the place first; nothing when it fits.</summary>
    public IEnumerable<string> Errors(JsonElement schema, JsonElement value, string place = "$")
    {
        foreach (var keyword in schema.EnumerateObject())
        {
            foreach (var error in Errors(schema, keyword.Name, keyword.Value, value, place))
                yield return error;
        }
    }

    private IEnumerable<string> Errors(JsonElement schema, string keyword, JsonElement rule, JsonElement value, string place)
    {
        switch (keyword)
        {
            case "$ref":
                return Errors(Resolve(rule.GetString()!), value, place);
            case "type":
                return Fits(rule.GetString()!, value) ? [] : [$"{place} is {value.GetRawText()}, not of type {rule}"];
            case "enum":
                return rule.EnumerateArray().Any(item => JsonElement.DeepEquals(item, value)) ? [] : [$"{place} is {value.GetRawText()}, none of {rule.GetRawText()}"];
            case "const":
                return JsonElement.DeepEquals(rule, value) ? [] : [$"{place} is {value.GetRawText()}, not {rule.GetRawText()}"];
            case "anyOf":
                return rule.EnumerateArray().Any(choice => !Errors(choice, value, place).Any()) ? [] : [$"{place} is {value.GetRawText()}, which fits no choice"];
            case "required" when value.ValueKind == JsonValueKind.Object:
                return rule.EnumerateArray().Where(name => !value.TryGetProperty(name.GetString()!, out _)).Select(name => $"{place} lacks {name}");
            case "properties" when value.ValueKind == JsonValueKind.Object:
                // What is answered is described: a field that is not is a mistake in one of the two.
                return value.EnumerateObject().SelectMany(field => rule.TryGetProperty(field.Name, out var property)
                    ? Errors(property, field.Value, $"{place}.{field.Name}")
                    : [$"{place}.{field.Name} is not described"]);
            case "additionalProperties" when value.ValueKind == JsonValueKind.Object:
                return value.EnumerateObject().SelectMany(field => Errors(rule, field.Value, $"{place}.{field.Name}"));
            case "items" when value.ValueKind == JsonValueKind.Array:
                return value.EnumerateArray().SelectMany((item, i) => Errors(rule, item, $"{place}[{i}]"));
            case "minItems" when value.ValueKind == JsonValueKind.Array:
                return value.GetArrayLength() >= rule.GetInt32() ? [] : [$"{place} has too few items"];
            case "minimum" when value.ValueKind == JsonValueKind.Number:
                return value.GetDouble() >= rule.GetDouble() ? [] : [$"{place} is below {rule}"];
            case "exclusiveMinimum" when value.ValueKind == JsonValueKind.Number:
                return value.GetDouble() > rule.GetDouble() ? [] : [$"{place} is not above {rule}"];
            case "maximum" when value.ValueKind == JsonValueKind.Number:
                return value.GetDouble() <= rule.GetDouble() ? [] : [$"{place} is above {rule}"];
            case "description" or "required" or "properties" or "additionalProperties" or "items" or "minItems" or "minimum" or "exclusiveMinimum" or "maximum":
                return [];
            default:
                return [$"{place}: the keyword '{keyword}' is not known in {schema.GetRawText()}"];
        }
    }

    private JsonElement Resolve(string reference) => reference[2..].Split('/').Aggregate(document, (element, name) => element.GetProperty(name));

    private static bool Fits(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        _ => throw new ArgumentException($"there is no type '{type}'"),
    };
}

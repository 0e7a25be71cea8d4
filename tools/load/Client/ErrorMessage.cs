using System.Text.Json;

namespace Weft.Load.Client;

/// <summary>Finds the sentence in the errors of many servers.</summary>
internal static class ErrorMessage
{
    private const int Longest = 300;

    /// <summary>The sentence in <c>{"error": …}</c>, in what stands there, or in what other servers send; else the value itself.</summary>
    public static string Of(JsonElement value)
    {
        while (value.ValueKind == JsonValueKind.Object)
        {
            if (!value.TryGetProperty("error", out var inner) && !value.TryGetProperty("message", out inner) && !value.TryGetProperty("detail", out inner))
                break;
            value = inner;
        }

        return Short(value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText());
    }

    /// <summary>The sentence in a body that may be JSON.</summary>
    public static string Of(string body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return Of(document.RootElement);
        }
        catch (JsonException)
        {
            return Short(body);
        }
    }

    /// <summary>One line of bearable length.</summary>
    private static string Short(string text)
    {
        var line = text.ReplaceLineEndings(" ").Trim();
        return line.Length <= Longest ? line : line[..Longest] + "…";
    }
}

using System.Diagnostics.CodeAnalysis;

namespace Weft.Load;

/// <summary>The address of an OpenAI-compatible server, given with or without the <c>/v1</c> that its routes begin with.</summary>
public static class ServerAddress
{
    /// <summary>How an address reads, for messages.</summary>
    public const string Form = "http://HOST:PORT or https://HOST, with or without /v1";

    /// <summary>Reads an address.</summary>
    /// <param name="text">What the user gave.</param>
    /// <param name="address">The base of <c>v1/…</c>; ends with a slash.</param>
    /// <returns>False when it is no http or https address.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Uri? address)
    {
        address = null;
        var root = (text ?? "").Trim().TrimEnd('/');
        if (root.EndsWith("/v1", StringComparison.Ordinal))
            root = root[..^"/v1".Length].TrimEnd('/');
        if (!Uri.TryCreate(root + "/", UriKind.Absolute, out var parsed) || parsed.Query.Length > 0 || parsed.Fragment.Length > 0)
            return false;
        if (parsed.Scheme != Uri.UriSchemeHttp && parsed.Scheme != Uri.UriSchemeHttps)
            return false;
        address = parsed;
        return true;
    }
}

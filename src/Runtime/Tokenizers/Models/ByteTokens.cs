using System.Globalization;

namespace Weft.Tokenizers.Models;

/// <summary>The tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c> that stand for a byte.</summary>
internal static class ByteTokens
{
    /// <summary>Reads one; in small letters it is none where tokens are made, but decoders of tokenizer.json files take it for one.</summary>
    public static bool TryParse(string token, out byte value, bool anyCase = false)
    {
        value = 0;
        return (anyCase || !token.AsSpan().ContainsAnyInRange('a', 'f')) && token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>Their ids by byte, −1 where there is none.</summary>
    public static int[] Find(IReadOnlyList<string?> tokens)
    {
        var ids = new int[256];
        Array.Fill(ids, -1);
        for (var id = 0; id < tokens.Count; id++)
        {
            if (tokens[id] is { } token && TryParse(token, out var value))
                ids[value] = id;
        }

        return ids;
    }
}

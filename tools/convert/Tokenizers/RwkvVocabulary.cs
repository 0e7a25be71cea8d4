using System.Globalization;
using System.Text;
using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>
/// Reads RWKV's world vocabulary (rwkv_vocab_v20230424.txt): a line an id, a token as Python spells a text or bytes, and its length in
/// bytes. The longest token that fits is taken, again and again; id 0 ends a document and is no text.
/// </summary>
internal static class RwkvVocabulary
{
    private const int HighestId = 1 << 22;

    public static TokenizerDescription Read(string path)
    {
        var tokens = new Dictionary<int, string>();
        foreach (var line in SourceReader.ReadLines(path).Where(line => line.Length > 0))
        {
            var (first, last) = (line.IndexOf(' ', StringComparison.Ordinal), line.LastIndexOf(' '));
            if (first < 0 || first == last
                || !int.TryParse(line.AsSpan(0, first), NumberStyles.None, CultureInfo.InvariantCulture, out var id) || id > HighestId
                || !int.TryParse(line.AsSpan(last + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
                || Literal(line[(first + 1)..last]) is not { } bytes || bytes.Length != length || !tokens.TryAdd(id, ByteAlphabet.Spell(bytes)))
            {
                throw new WeftException($"the line '{(line.Length > 80 ? line[..80] + "…" : line)}' is no id, token and length");
            }
        }

        if (tokens.Count == 0)
            throw new WeftException("this vocabulary has no tokens");
        var all = new string?[tokens.Keys.Max() + 1];
        foreach (var (id, token) in tokens)
            all[id] = token;
        return Describe(all);
    }

    /// <summary>The tokenizer of tokens by id, spelt in the byte alphabet.</summary>
    public static TokenizerDescription Describe(string?[] tokens) => new()
    {
        Model = new() { Kind = TokenModelKind.LongestMatch, Tokens = tokens, ByteLevel = true },
        Decoders = [new() { Kind = DecoderKind.ByteAlphabet }],
    };

    /// <summary>A token as GGUF files write it: the inside of Python's literal of its bytes; spelt in the byte alphabet.</summary>
    public static string Escaped(string token) =>
        Literal($"b'{token}'") is { } bytes ? ByteAlphabet.Spell(bytes) : throw new WeftException($"the token '{token}' is not what Python writes of bytes");

    /// <summary>The bytes of a literal of Python's; null when it is none.</summary>
    private static byte[]? Literal(string text)
    {
        var isBytes = text.StartsWith('b');
        var quoted = isBytes ? text[1..] : text;
        if (quoted.Length < 2 || quoted[0] is not ('\'' or '"') || quoted[^1] != quoted[0])
            return null;
        var points = new List<int>();
        for (var i = 1; i < quoted.Length - 1; i++)
        {
            if (quoted[i] != '\\')
            {
                var wide = char.IsSurrogatePair(quoted, i);
                points.Add(wide ? char.ConvertToUtf32(quoted, i) : quoted[i]);
                i += wide ? 1 : 0;
                continue;
            }

            if (++i == quoted.Length - 1)
                return null;
            var letter = quoted[i];
            var digits = letter switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
            var simple = "ntrabfv0\\'\"".IndexOf(letter, StringComparison.Ordinal);
            if (digits > 0 && i + digits < quoted.Length - 1 && int.TryParse(quoted.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var point))
            {
                points.Add(point);
                i += digits;
            }
            else if (simple >= 0)
            {
                points.Add("\n\t\r\a\b\f\v\0\\'\""[simple]);
            }
            else
            {
                return null;
            }
        }

        if (isBytes)
            return points.TrueForAll(point => point <= 0xFF) ? [.. points.Select(point => (byte)point)] : null;
        return points.TrueForAll(Rune.IsValid) ? Encoding.UTF8.GetBytes(string.Concat(points.Select(char.ConvertFromUtf32))) : null;
    }
}

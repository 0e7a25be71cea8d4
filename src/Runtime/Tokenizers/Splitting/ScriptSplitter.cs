using System.Text;
using Weft.Tokenizers.Unicode;

namespace Weft.Tokenizers.Splitting;

/// <summary>
/// Cuts where the script changes; a space has any script, and those before the first letter disappear, as in the library that this follows.
/// Japanese syllables count as Chinese.
/// </summary>
internal sealed class ScriptSplitter : PreTokenizer
{
    private const string Any = "";

    // Lengthens a vowel of Japanese.
    private const int LongVowel = 0x30FC;

    /// <inheritdoc/>
    public override void Cut(ReadOnlySpan<char> text, List<Range> words, WorkLimit limit)
    {
        var start = 0;
        string? last = null;
        for (var at = 0; at < text.Length;)
        {
            Rune.DecodeFromUtf16(text[at..], out var rune, out var length);
            var script = ScriptOf(rune.Value);
            if (script != Any)
            {
                if (script != last)
                {
                    if (last is not null)
                        words.Add(start..at);
                    start = at;
                }

                last = script;
            }

            at += length;
        }

        if (last is not null)
            words.Add(start..text.Length);
    }

    private static string ScriptOf(int point) => point switch
    {
        ' ' => Any,
        LongVowel => "Han",
        _ => UnicodeScripts.NameOf(point) switch
        {
            null => Any,
            "Hiragana" or "Katakana" => "Han",
            var name => name,
        },
    };
}

using System.Text;
using Weft.Tokenizers.Unicode;

namespace Weft.Tokenizers.Splitting;

/// <summary>
/// Cuts where the script changes; a space has any script, and those before the first letter disappear, as in the library that this follows.
/// Japanese syllables count as Chinese.
/// </summary>
internal sealed class ScriptSplitter : PreTokenizer
{
    private const int Any = -1;
    private const int None = -2;

    /// <inheritdoc/>
    public override void Cut(ReadOnlySpan<char> text, List<Range> words, WorkLimit limit)
    {
        var (start, last) = (0, None);
        for (var at = 0; at < text.Length;)
        {
            Rune.DecodeFromUtf16(text[at..], out var rune, out var length);
            var script = ScriptOf(rune.Value);
            if (script != Any)
            {
                if (script != last)
                {
                    if (last != None)
                        words.Add(start..at);
                    start = at;
                }

                last = script;
            }

            at += length;
        }

        if (last != None)
            words.Add(start..text.Length);
    }

    private static int ScriptOf(int point)
    {
        if (point == ' ')
            return Any;
        var ranges = ScriptData.Ranges;
        var (low, high) = (0, (ranges.Length / 3) - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (point < ranges[3 * middle])
                high = middle - 1;
            else if (point > ranges[(3 * middle) + 1])
                low = middle + 1;
            else
                return ranges[(3 * middle) + 2];
        }

        return Any;
    }
}

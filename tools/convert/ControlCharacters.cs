using System.Globalization;
using System.Text;

namespace Weft.Convert;

/// <summary>Control characters in text that nobody vouches for: on a terminal they move the cursor, change colours and titles, and hide what was written.</summary>
public static class ControlCharacters
{
    /// <summary>The text with control characters spelled as <c>\u001b</c>. Tabs and line ends stay.</summary>
    public static string Spell(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var spelled = new StringBuilder();
        var done = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsControl(text[i]) || text[i] is '\n' or '\t' || (text[i] == '\r' && text.AsSpan(i + 1) is [] or ['\n', ..]))
                continue;
            spelled.Append(text, done, i - done).Append(CultureInfo.InvariantCulture, $"\\u{(int)text[i]:x4}");
            done = i + 1;
        }

        return done == 0 ? text : spelled.Append(text, done, text.Length - done).ToString();
    }
}

using System.Globalization;
using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>The methods of str that ask what it consists of. An empty text consists of nothing, except of ASCII.</summary>
internal static class TextPredicates
{
    /// <summary>The methods by name.</summary>
    public static IReadOnlyDictionary<string, StringMethod> All { get; } = new Dictionary<string, Func<string, bool>>
    {
        ["isalnum"] = text => Every(text, rune => Rune.IsLetter(rune) || IsNumeric(rune)),
        ["isalpha"] = text => Every(text, Rune.IsLetter),
        ["isascii"] = text => Ascii.IsValid(text),
        ["isdecimal"] = text => Every(text, rune => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber),
        ["isdigit"] = text => Every(text, IsDigit),
        ["islower"] = text => CaseText.IsAll(text, upper: false),
        ["isnumeric"] = text => Every(text, IsNumeric),
        ["isspace"] = text => Every(text, rune => rune.IsBmp && PythonText.IsSpace((char)rune.Value)),
        ["istitle"] = CaseText.IsTitle,
        ["isupper"] = text => CaseText.IsAll(text, upper: true),
    }.ToDictionary(predicate => predicate.Key, StringMethod (predicate) => (self, arguments, state) =>
    {
        arguments.Bind(predicate.Key, 0);
        state.Budget.Characters(self.Text.Length);
        return BoolValue.Of(predicate.Value(self.Text));
    });

    private static bool IsDigit(Rune rune) => CharUnicodeInfo.GetDigitValue(rune.ToString(), 0) >= 0;

    private static bool IsNumeric(Rune rune) => Rune.GetNumericValue(rune) >= 0 || IsDigit(rune);

    private static bool Every(string text, Func<Rune, bool> holds)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (!holds(rune))
                return false;
        }

        return text.Length > 0;
    }
}

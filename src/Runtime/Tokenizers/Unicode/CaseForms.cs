namespace Weft.Tokenizers.Unicode;

/// <summary>
/// Letters that are the same without regard to case (Unicode's case folding), but not to .NET's expressions, which know capitals and small
/// letters, and no letter's second small form.
/// </summary>
internal static class CaseForms
{
    private static readonly string[] Classes =
    [
        "Ss\u017F", "\u00B5\u039C\u03BC", "\u0345\u0399\u03B9\u1FBE", "\u0390\u1FD3", "\u0392\u03B2\u03D0", "\u0395\u03B5\u03F5", "\u0398\u03B8\u03D1\u03F4",
        "\u039A\u03BA\u03F0", "\u03A0\u03C0\u03D6", "\u03A1\u03C1\u03F1", "\u03A3\u03C2\u03C3", "\u03A6\u03C6\u03D5", "\u03B0\u1FE3", "\u0412\u0432\u1C80",
        "\u0414\u0434\u1C81", "\u041E\u043E\u1C82", "\u0421\u0441\u1C83", "\u0422\u0442\u1C84\u1C85", "\u042A\u044A\u1C86", "\u0462\u0463\u1C87", "\u1C88\uA64A\uA64B",
        "\u1E60\u1E61\u1E9B", "\uFB05\uFB06",
    ];

    /// <summary>All letters of the classes that have one in a range of code points.</summary>
    public static string Of(int first, int last) => string.Concat(Classes.Where(forms => forms.Any(form => form >= first && form <= last)));
}

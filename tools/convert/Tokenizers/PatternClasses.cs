using System.Buffers;

namespace Weft.Convert.Tokenizers;

/// <summary>Sets of characters that expressions name by a letter, as .NET spells them inside brackets.</summary>
internal static class PatternClasses
{
    /// <summary>Unicode's word characters: letters, marks, digits, connectors and what else is alphabetic.</summary>
    public const string UnicodeWords = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9" + "\U0001F130-\U0001F149\U0001F150-\U0001F169\U0001F170-\U0001F189";

    /// <summary>The characters of <c>\w</c> and <c>\b</c> outside brackets, where Oniguruma has Latin-1's small digits and fractions as well.</summary>
    public const string Words = UnicodeWords + @"\u00B2\u00B3\u00B9\u00BC-\u00BE";

    /// <summary>Hexadecimal digits.</summary>
    public const string Hexadecimal = "0-9A-Fa-f";

    /// <summary>What names of POSIX's sets consist of.</summary>
    public static SearchValues<char> PosixNames { get; } = SearchValues.Create("^abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    /// <summary>A place between two words, or where one begins or ends.</summary>
    public const string Boundary = $"(?:(?<=[{Words}])(?![{Words}])|(?<![{Words}])(?=[{Words}]))";

    /// <summary>Any other place.</summary>
    public const string NoBoundary = $"(?:(?<=[{Words}])(?=[{Words}])|(?<![{Words}])(?![{Words}]))";

    /// <summary>A line break; the two of Windows are one.</summary>
    public const string LineBreak = @"(?>\r\n|[\n\v\f\r\u0085\u2028\u2029])";

    /// <summary>Where a line begins: also after the last line break, but not where the text ends.</summary>
    public const string LineBegin = @"(?:\A|(?<=\n)(?!\z))";

    /// <summary>Any character.</summary>
    public const string Any = @"[\s\S]";
}

"""Writes UnicodeData.cs: decompositions and combining classes, from the Unicode data that Python carries.

Run: python3 generate.py > UnicodeData.cs
"""
import sys
import unicodedata as u


def rows(values, per_line=12):
    for i in range(0, len(values), per_line):
        yield "        " + ", ".join(values[i:i + per_line]) + ","


pairs, compatible, classes = [], [], []
for c in range(sys.maxunicode + 1):
    if 0xD800 <= c <= 0xDFFF or 0xAC00 <= c <= 0xD7A3:          # surrogates; Hangul syllables are computed
        continue
    d = u.decomposition(chr(c))
    if d and not d.startswith("<"):
        parts = [int(p, 16) for p in d.split()]
        composes = len(parts) == 2 and u.normalize("NFC", chr(c)) == chr(c)
        pairs += [f"0x{c:X}", f"0x{parts[0]:X}", f"0x{parts[1]:X}" if len(parts) == 2 else "0", "1" if composes else "0"]
    elif d:
        parts = [int(p, 16) for p in d.split()[1:]]
        compatible += [f"0x{x:X}" for x in (c, len(parts), *parts)]
    if u.combining(chr(c)):
        if classes and classes[-1][1] == c - 1 and classes[-1][2] == u.combining(chr(c)):
            classes[-1][1] = c
        else:
            classes.append([c, c, u.combining(chr(c))])

print(f"""namespace Weft.Tokenizers.Unicode;

/// <summary>Unicode {u.unidata_version}: made by generate.py, not to be edited.</summary>
internal static class UnicodeData
{{
    /// <summary>Four numbers a row: code point, the one or two (else 0) that it decomposes into, and whether they compose again.</summary>
    public static ReadOnlySpan<int> Decompositions =>
    [""")
print("\n".join(rows(pairs)))
print("""    ];

    /// <summary>A row for each code point that stands for others in forms KC and KD: code point, how many, and which.</summary>
    public static ReadOnlySpan<int> CompatibilityDecompositions =>
    [""")
print("\n".join(rows(compatible)))
print("""    ];

    /// <summary>Three numbers a row: first and last code point of a range, and its canonical combining class.</summary>
    public static ReadOnlySpan<int> CombiningClasses =>
    [""")
print("\n".join(rows([x for a, b, k in classes for x in (f"0x{a:X}", f"0x{b:X}", str(k))])))
print("    ];\n}")

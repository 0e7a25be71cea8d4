// Writes UnicodePropertyData.cs: properties of characters, from the Unicode data that JavaScript engines carry.
// Run: node generate_properties.js > UnicodePropertyData.cs
// Each is a binary property without the general categories that are in it whole.
const properties = [
  ['OtherAlphabetic', 'Alphabetic', ['L', 'Nl']], ['OtherUppercase', 'Uppercase', ['Lu']], ['OtherLowercase', 'Lowercase', ['Ll']],
  ['Ideographic', 'Ideographic', []], ['Emoji', 'Emoji', []], ['EmojiPresentation', 'Emoji_Presentation', []], ['EmojiModifier', 'Emoji_Modifier', []],
  ['EmojiModifierBase', 'Emoji_Modifier_Base', []], ['EmojiComponent', 'Emoji_Component', []], ['ExtendedPictographic', 'Extended_Pictographic', []],
];
const members = properties.map(([name, property, without]) => {
  const is = new RegExp(`^\\p{${property}}$`, 'u');
  const categories = without.map(category => new RegExp(`^\\p{${category}}$`, 'u'));
  const ranges = [];
  for (let c = 0; c <= 0x10FFFF; c++) {
    const text = String.fromCodePoint(c);
    if ((c >= 0xD800 && c <= 0xDFFF) || !is.test(text) || categories.some(category => category.test(text))) continue;
    const end = ranges[ranges.length - 1];
    if (end && end[1] === c - 1) end[1] = c;
    else ranges.push([c, c]);
  }
  const rows = [];
  const hex = value => '0x' + value.toString(16).toUpperCase();
  for (let i = 0; i < ranges.length; i += 8) rows.push('        ' + ranges.slice(i, i + 8).map(([a, b]) => `${hex(a)}, ${hex(b)},`).join(' '));
  const but = without.length ? ` without the categories ${without.join(' and ')}` : '';
  return `    /// <summary>${property}${but}.</summary>\n    public static ReadOnlySpan<int> ${name} =>\n    [\n${rows.join('\n')}\n    ];`;
});
console.log(`namespace Weft.Convert.Tokenizers;

/// <summary>Unicode ${process.versions.unicode}, two numbers a range, its first and last code point: made by generate_properties.js, not to be edited.</summary>
internal static class UnicodePropertyData
{
${members.join('\n\n')}
}`);

// Writes ScriptData.cs: the scripts of characters, from the Unicode data that JavaScript engines carry.
// Run: node generate_scripts.js > ScriptData.cs
const names = `Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Beria_Erfe Bhaiksuki Bopomofo Brahmi
Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan
Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek
Gujarati Gunjala_Gondi Gurmukhi Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited
Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi
Kirat_Rai Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin
Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue
Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian
Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic
Samaritan Saurashtra Sharada Shavian Siddham Sidetic SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog
Tagbanwa Tai_Le Tai_Tham Tai_Viet Tai_Yo Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Todhri Tolong_Siki Toto Tulu_Tigalari
Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square`.split(/\s+/);
const tests = names.map((name, i) => [i + 1, new RegExp(`^\\p{Script=${name}}$`, 'u')]);
const ranges = [];
let last = 0;
for (let c = 0; c <= 0x10FFFF; c++) {
  if (c >= 0xD800 && c <= 0xDFFF) continue;
  const text = String.fromCodePoint(c);
  let script = ranges.length && tests[last][1].test(text) ? tests[last][0] : 0;
  if (!script) {
    const found = tests.findIndex(t => t[1].test(text));
    if (found >= 0) { last = found; script = tests[found][0]; }
  }
  const end = ranges[ranges.length - 1];
  if (!script) continue;
  if (end && end[1] === c - 1 && end[2] === script) end[1] = c;
  else ranges.push([c, c, script]);
}
const numbers = ranges.flatMap(([a, b, s]) => [`0x${a.toString(16).toUpperCase()}`, `0x${b.toString(16).toUpperCase()}`, `${s}`]);
const words = [];
for (const name of names) {
  const word = `"${name}",`;
  if (words.length && words[words.length - 1].length + word.length < 150) words[words.length - 1] += ' ' + word;
  else words.push(word);
}
const rows = [];
for (let i = 0; i < numbers.length; i += 15) rows.push('        ' + numbers.slice(i, i + 15).join(', ') + ',');
console.log(`namespace Weft.Tokenizers.Unicode;

/// <summary>Unicode ${process.versions.unicode}: made by generate_scripts.js, not to be edited.</summary>
internal static class ScriptData
{
    /// <summary>Names of the scripts; the first has the number 1.</summary>
    public static readonly string[] Names =
    [
${words.map(line => '        ' + line).join('\n')}
    ];

    /// <summary>Three numbers a row: first and last code point of a range, and a number of its script; what is not there has none.</summary>
    public static ReadOnlySpan<int> Ranges =>
    [
${rows.join('\n')}
    ];
}`);

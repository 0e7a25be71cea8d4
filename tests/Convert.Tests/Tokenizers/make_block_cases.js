// Makes the small cases that no shared tokenizer covers, with Hugging Face's own library:
//   npm install tokenizers@0.23.2 && node make_block_cases.js > BlockCases.json
// A row is one tokenizer.json and, for each text, ids, ids with special tokens, and both ways to decode the latter.
const { Tokenizer } = require('tokenizers');
const texts = [
  '', ' ', '  ', 'hello', 'Hello World', " don't you're  hello", 'a1b22c333', 'x.y, z! (ok)', 'tab\tline\nend', 'caf\u00e9 cafe\u0301 na\u00efve',
  '\u4f60\u597d world \u65e5\u672c\u8a9e\u30c6\u30b9\u30c8', '\u{1F642}ok\u{1F469}\u200D\u{1F4BB}', '\u0130stanbul \u03a3\u03a3', '\ufb01 \u2460\u00bd \uff21\uff22', 'a--b__c', '[MASK]hello[MASK] world',
  'un known zzz', '\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35', '\u0420\u0443\u0441 abc \u0627\u0644', '\u200bzero\u00adwidth\u0007', 'hello hello  hello', '2024-01-02 3.14', '<0x41>\u00ff', '\u{1D400}\u{1D7D8}\u{20000}', 'worldhello', 'aa\u3000bb',
];
const pieces = ['hello', 'world', 'the', 'he', 'll', 'lo', 'wor', 'ld', 'un', 'know', 'n', 'do', 'you', 're'];
const characters = [...new Set([...texts.join(''), ...'abcdefghijklmnopqrstuvwxyz0123456789'])].filter(c => c !== 'z' && c !== '\u{1F642}');
function vocabulary(list) { const v = {}; for (const t of list) if (!(t in v)) v[t] = Object.keys(v).length; return v; }
const words = { '[UNK]': 0, ...Object.fromEntries(['hello', 'Hello', 'world', 'a', 'b', ',', '.', "don't", 'ok', '1', '22', '\u4f60', '\u65e5\u672c\u8a9e', 'you', '2024', '-'].map((w, i) => [w, i + 1])) };
const wordPieces = vocabulary(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...characters.filter(c => c.trim()), ...characters.filter(c => c.trim()).map(c => '##' + c), 'hello', 'world', 'do', '##n', '##ld', '##lo', 'know', '##know', "'", 'you', '##re', 'cafe', 'naive']);
const merges = [['h', 'e'], ['l', 'l'], ['he', 'll'], ['hell', 'o'], ['w', 'o'], ['r', 'l'], ['wo', 'rl'], ['worl', 'd'], ['1', '2'], ['a', 'b'], ['2', '2'], ['l', 'o'], ['d', 'o']];
const bpeTokens = suffix => vocabulary(['<unk>', ...characters, ...characters.map(c => c + suffix), ...merges.map(m => m.join('')), ...(suffix ? ['o' + suffix, 'lo' + suffix, 'hello' + suffix, 'd' + suffix, 'world' + suffix] : [])]);
const bpe = { type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab: bpeTokens(''), merges };
const word = { type: 'WordLevel', vocab: words, unk_token: '[UNK]' };
const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
const unigram = { type: 'Unigram', unk_id: 0, byte_fallback: false, vocab: [['<unk>', 0], ['\u2581', -2], ...characters.map((c, i) => [c, -5 - i / 64]), ['\u2581hello', -3], ['hello', -4], ['\u2581wor', -4.5], ['ld', -4.25], ['world', -6], ['aa', -6.5], ['he', -5.5], ['llo', -5.5]] };
const cases = [];
// Its texts are those above and some more, or only its own.
function add(name, json, more = [], own = false) { cases.push([name, own ? more : [...texts, ...more], { version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, model: bpe, ...json }]); }
for (const type of ['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt']) add('normalizer ' + type, { normalizer: { type } });
add('normalizer Strip', { normalizer: { type: 'Strip', strip_left: true, strip_right: false } });
add('normalizer Replace by an expression', { normalizer: { type: 'Replace', pattern: { Regex: '[aeiou]+(?=l)|\\s{2,}' }, content: '-' } });
add('normalizer ByteLevel', { normalizer: { type: 'ByteLevel' }, decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } });
add('normalizer Bert', { normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true } });
add('normalizer Sequence', { normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKD' }, { type: 'StripAccents' }, { type: 'Lowercase' }, { type: 'Prepend', prepend: '_' }] } });
const isolated = ['Isolated', 'Removed', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'];
for (const behavior of isolated) for (const invert of [false, true]) add(`split ${behavior} ${invert}`, { model: word, pre_tokenizer: { type: 'Split', pattern: { Regex: '[ ,.]' }, behavior, invert } });
add('split by a text', { model: word, pre_tokenizer: { type: 'Split', pattern: { String: '.' }, behavior: 'Removed', invert: false } });
for (const behavior of isolated) add('punctuation ' + behavior, { model: word, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, { type: 'Punctuation', behavior }] } });
for (const type of ['Whitespace', 'WhitespaceSplit', 'BertPreTokenizer', 'UnicodeScripts']) add('words of ' + type, { model: word, pre_tokenizer: { type } });
for (const individual_digits of [false, true]) add('digits ' + individual_digits, { model: word, pre_tokenizer: { type: 'Digits', individual_digits } });
add('a delimiter', { model: word, pre_tokenizer: { type: 'CharDelimiterSplit', delimiter: '-' } });
add('a fixed length', { model: word, pre_tokenizer: { type: 'FixedLength', length: 2 } });
for (const prepend_scheme of ['first', 'always', 'never']) for (const split of [true, false])
  add(`metaspace ${prepend_scheme} ${split}`, { model: unigram, pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme, split }, decoder: { type: 'Metaspace', replacement: '\u2581', prepend_scheme, split }, added_tokens: [{ id: unigram.vocab.length, content: '[MASK]', single_word: false, lstrip: true, rstrip: false, normalized: false, special: true }] });
add('unigram with bytes', { model: { ...unigram, byte_fallback: true, vocab: [...unigram.vocab, ...bytes.map(b => [b, 0])] }, decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] } });
add('bpe, byte fallback and fused unknowns', { model: { ...bpe, byte_fallback: true, fuse_unk: true, vocab: vocabulary([...Object.keys(bpe.vocab), ...bytes]) }, decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }] } });
add('bpe, fused unknowns', { model: { ...bpe, fuse_unk: true, vocab: bpeTokens('').constructor === Object ? vocabulary(['<unk>', 'h', 'e', 'l', 'o', ' ', 'he', 'll', 'hell', 'hello']) : 0, merges: merges.slice(0, 4) } });
add('bpe without unknown', { model: { ...bpe, unk_token: null, vocab: vocabulary(['h', 'e', 'l', 'o', 'he', 'll', 'hell', 'hello']), merges: merges.slice(0, 4) } });
add('bpe with ends of words', { model: { ...bpe, end_of_word_suffix: '</w>', vocab: bpeTokens('</w>'), merges: [['h', 'e'], ['l', 'l'], ['he', 'll'], ['hell', 'o</w>'], ['w', 'o'], ['r', 'l'], ['wo', 'rl'], ['worl', 'd</w>']].filter(m => true) }, normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true }, pre_tokenizer: { type: 'BertPreTokenizer' }, decoder: { type: 'BPEDecoder', suffix: '</w>' } });
add('bpe with prefixes', { model: { ...bpe, continuing_subword_prefix: '##', vocab: vocabulary(['<unk>', 'h', 'w', '##e', '##l', '##o', '##r', '##d', 'he', '##ll', 'hell', 'hello', 'wo', '##rl', '##ld']), merges: [['h', '##e'], ['##l', '##l'], ['he', '##ll'], ['hell', '##o'], ['w', '##o'], ['##r', '##l'], ['##l', '##d']] }, pre_tokenizer: { type: 'Whitespace' } });
add('bert', { model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 12, vocab: wordPieces }, normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true }, pre_tokenizer: { type: 'BertPreTokenizer' }, post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] }, decoder: { type: 'WordPiece', prefix: '##', cleanup: true }, added_tokens: [2, 3, 4].map((id, i) => ({ id, content: ['[CLS]', '[SEP]', '[MASK]'][i], single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })) });
add('roberta and two templates', { post_processor: { type: 'Sequence', processors: [{ type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 1], trim_offsets: true, add_prefix_space: true }, { type: 'TemplateProcessing', single: [{ SpecialToken: { id: 'x', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }], special_tokens: { x: { id: 'x', ids: [3, 4], tokens: ['c', 'd'] } } }] } });
add('ctc', { decoder: { type: 'CTC', pad_token: '<unk>', word_delimiter_token: ' ', cleanup: true } });
add('decoder Replace and Strip', { decoder: { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { Regex: '[lo]' }, content: '*' }, { type: 'Strip', content: 'a', start: 1, stop: 0 }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }] } });
add('added tokens of every kind', { normalizer: { type: 'Lowercase' }, decoder: { type: 'Fuse' }, added_tokens: [
  { id: bpe.vocab.hello, content: 'hello', single_word: true, lstrip: false, rstrip: false, normalized: true, special: false },
  { id: Object.keys(bpe.vocab).length, content: '[MASK]', single_word: false, lstrip: true, rstrip: true, normalized: false, special: true },
  { id: bpe.vocab.world, content: 'world', single_word: false, lstrip: false, rstrip: true, normalized: true, special: false },
  { id: Object.keys(bpe.vocab).length + 1, content: 'ok', single_word: true, lstrip: true, rstrip: false, normalized: false, special: true }] });
for (const normalizer of [{ type: 'Lowercase' }, { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '\u2581' }, { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' }] }])
  add('normalized added tokens, ' + normalizer.type, { normalizer, decoder: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true }, added_tokens: ['Hello World', 'ok'].map((content, i) => ({ id: Object.keys(bpe.vocab).length + i, content, single_word: false, lstrip: false, rstrip: false, normalized: true, special: i > 0 })) });
add('falcon', { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Punctuation', behavior: 'Contiguous' }, { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }, { type: 'Digits', individual_digits: false }] }, decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } });
const patterns = ['\\p{Han}+|[^\\p{Han}\\s]+', '[a-z&&[^aeiou]]+', '[[:alpha:]]++', '(?i:HELLO)|\\h{2}', '[^(\\s|[.,!])]+', '^.|.$', '\\p{^L}+', '(?<x>l)+|\\d{,2}', '(?m:a.)', '[\\w&&[^\\d]]+'];
for (const pattern of patterns) add('expression ' + pattern, { model: { ...bpe, ignore_merges: true, vocab: bpe.vocab }, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: pattern }, behavior: 'Removed', invert: true }] } });
for (const pattern of ['\\w+', '\\b', '\\B', '[[:punct:]]', '\\p{Punct}']) add('cut by ' + pattern, { model: { ...bpe, ignore_merges: true }, pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false } });
const runs = ['<0xE5> <0x69>', 'a <0xE4> <0xBD> <0xA0> b', '<0xE4> <0xBD> <0xA0> <0xE5> a <0x61>', '<0x61> <0xFF> b <0x62> <0xC3> <0xA9>', '<0xE4> <0xBD> [X] <0xA0>', '<0xC3> <0xA9> <0xC3>'];
const apart = { model: { ...word, vocab: { ...words, ...Object.fromEntries(bytes.map((b, i) => [b, 17 + i])) } }, pre_tokenizer: { type: 'WhitespaceSplit' }, added_tokens: [{ id: 273, content: '[X]', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }] };
for (const decoders of [[], ['Fuse'], ['Fuse', 'Fuse', 'Fuse']]) add(`bytes in a row, ${decoders.length}`, { ...apart, decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, ...decoders.map(type => ({ type }))] } }, runs);
add('bytes in a row after a step', { ...apart, decoder: { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { String: 'a' }, content: ' a' }, { type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }] } }, runs);
const beyond = ['[\u4e00-\u9fa5\u0800-\u4e00]+', '\\s?[A-Za-z\u{1D3FF}-\u{1D401}]+', '[^\u{1D400}a]', '\u{1F642}|\u{1F4BB}+', '[\u{10000}-\u{1FFFF}]', '\\x{1F642}ok?', '[a-\u{1F642}]+', '[^o-\u{1F642}]+', '[\\P{L}]+', '[^\\P{L}]+', '[\\p{L}\u{1F642}&&[^\u{1D400}-\u{1D402}]]+', '[\u0800-\uffff]', '\\p{C}|\\p{So}+', '[\\D\\S]'];
for (const pattern of beyond) add('cut beyond the first plane by ' + pattern, { model: word, pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false } });
for (const pattern of ['\\p{Arabic}+|\\p{greek}', '[\\p{Katakana}z]+', '\\P{Latin}+', '[^\\p{Thai}\\p{Common}]+', '\\p{Gothic}|\\p{Old_Italic}', '[[:graph:]]+', '[[:print:]]', '[[:upper:]]|[[:lower:]]+', '[[:^print:]]', '\\p{Emoji}', '\\p{Lowercase Letter}+', '\\p{lu}', '\\p{Alphabetic}+', '[[:alnum:]]+', '\\p{Assigned}', '\\p{Any}'])
  add('cut by the property ' + pattern, { model: word, pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false } }, ['\u{24B6}\u{1F130}\u2160a\u00AA\u0345', '\u{10330}\u{10300}x']);
add('split by an emoji', { model: word, pre_tokenizer: { type: 'Split', pattern: { String: '\u{1F642}' }, behavior: 'Isolated', invert: false } });
add('an emoji as a delimiter', { model: word, pre_tokenizer: { type: 'CharDelimiterSplit', delimiter: '\u{1F642}' } });
for (const [name, more] of [['nothing else', {}], ['an unknown token', { unk_token: '<unk>' }], ['fused unknown tokens', { unk_token: '<unk>', fuse_unk: true }], ['byte tokens', { byte_fallback: true }], ['some byte tokens and an unknown token', { byte_fallback: true, unk_token: '<unk>' }]])
  add('a part of the byte alphabet and ' + name, { model: { ...bpe, unk_token: null, ...more, vocab: vocabulary(['<unk>', ...'helowrd\u0120\u00c3ab', 'he', 'll', 'hell', 'hello', 'wo', 'rl', 'worl', 'world', 'ab', 'lo', 'do', ...(more.byte_fallback ? bytes.filter((b, i) => !more.unk_token || i !== 0xA9) : [])]), merges: merges.filter(m => !m.includes('1') && !m.includes('2') && !m.includes('22')) }, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }, decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true } });
add('unigram with some bytes', { model: { ...unigram, byte_fallback: true, vocab: [...unigram.vocab, ...bytes.filter((b, i) => i !== 0x99).map(b => [b, 0])] }, decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] } }, ['zz\u{1F642}zz', '\u{1F642}z\u{1F642}']);
add('small letters in byte tokens', { model: { ...word, vocab: { ...words, '<0xc3>': 17, '<0xa9>': 18 } }, pre_tokenizer: { type: 'WhitespaceSplit' }, decoder: { type: 'ByteFallback' } }, ['<0xc3> <0xa9>', '<0xc3> a']);
const strip = (strip_left, strip_right) => ({ type: 'Strip', strip_left, strip_right });
for (const normalizer of [strip(true, false), strip(false, true), { type: 'Replace', pattern: { String: ' ' }, content: '' }, { type: 'StripAccents' }, { type: 'Sequence', normalizers: [strip(true, false), { type: 'Prepend', prepend: 'x' }] }, { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '\u2581' }, strip(true, false)] }, { type: 'Nmt' }])
  add('metaspace at the beginning after ' + JSON.stringify(normalizer), { normalizer, model: unigram, pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'first', split: true }, decoder: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'first', split: true } }, ['\u0301hello', '\u0007 hello', '\u0007hello', 'aa hello']);
add('word pieces without a prefix', { model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '', max_input_chars_per_word: 12, vocab: wordPieces }, pre_tokenizer: { type: 'BertPreTokenizer' } });
add('tokens that are single words', { added_tokens: ['cafe', 'ok', '\u2460', '\u{1D400}'].map((content, i) => ({ id: bpe.vocab[content] ?? Object.keys(bpe.vocab).length + i, content, single_word: true, lstrip: false, rstrip: false, normalized: false, special: true })) });
const token = (id, content, more = {}) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false, ...more });
const size = Object.keys(bpe.vocab).length;
add('added tokens that take spaces side by side', { decoder: { type: 'Fuse' }, added_tokens: [token(size, '<a>', { lstrip: true, rstrip: true }), token(size + 1, '<b>', { rstrip: true }), token(size + 2, '  '), token(size + 3, '\t', { single_word: true })] },
  ['<a>  <b>', '<b>  <b>  <a> x', ' <a>\t \t<a>hello', 'hello  <b> \t  <a>  ', '<b>     hello'], true);
for (const normalizer of [{ type: 'Prepend', prepend: '\u2581' }, { type: 'Lowercase' }])
  add('special tokens that are normalized, ' + normalizer.type, { normalizer, decoder: { type: 'Fuse' }, added_tokens: [token(size, '<S>', { normalized: true, special: true }), token(size + 1, 'ok', { normalized: true, special: true }), token(size + 2, '<e>', { special: true })] }, ['<S>hello<e>', 'x<S>ok', '<s>OK<e>ok'], true);
add('ids of added tokens are counted', { decoder: { type: 'Fuse' }, added_tokens: [token(900, '<a>'), token(7, '<b>', { special: true }), token(3, 'hello', { special: true }), token(901, '<a>', { lstrip: true }), token(902, '')] }, ['x <a><b> hello'], true);
const spelt = { ...unigram, byte_fallback: true, vocab: [...unigram.vocab, ...bytes.map(b => [b, -20])] };
add('the text of the unknown token', { model: spelt, decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] } }, ['<unk>', '<unk>z<unk><unk>', 'z<unk>hello', '<un k>'], true);
// The library's sums are of doubles, which its parser makes of the digits one by one: nearly equal cuts show both.
add('scores that are nearly equal', { model: { type: 'Unigram', unk_id: 0, byte_fallback: false, vocab: [['<unk>', -9], ['a', -1], ['aaaaa', -1.7835292225472565], ['b', -1.0000000001], ['bb', -2], ['c', -0.1], ['cc', -0.2], ['ccc', -0.30000000000000004], ['d', -2.0122928619384766], ['dd', -4.024585723876953]] } }, ['a'.repeat(17), 'bbbbb', 'bbb', 'ccccc', 'ccc', 'dddd', 'ddd'], true);
add('a unigram token that is there twice', { model: { type: 'Unigram', unk_id: 0, byte_fallback: false, vocab: [['<unk>', -9], ['a', -1], ['ab', -5], ['b', -1], ['ab', -0.5]] } }, ['ab', 'aab'], true);
add('bytes with prefixes and suffixes', { model: { ...bpe, byte_fallback: true, continuing_subword_prefix: '##', end_of_word_suffix: '</w>', vocab: vocabulary(['<unk>', 'h', '##e', '##y</w>', 'he', ...bytes]), merges: [['h', '##e']] } }, ['hey', 'hexy', 'h\u00e9y', 'he\u{1F642}'], true);
for (const decoder of [{ type: 'BPEDecoder', suffix: '' }, { type: 'CTC', pad_token: '', word_delimiter_token: '', cleanup: true }, { type: 'Replace', pattern: { String: '' }, content: '-' }, { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'CTC', pad_token: '', word_delimiter_token: '|', cleanup: false }] }])
  add('decoder ' + JSON.stringify(decoder), { ...apart, decoder }, ['a', 'ok a \u65e5\u672c\u8a9e', '<0xE4> <0xBD> a', 'a a <0xFF> <0xFE> b', '<0xE4> <0xBD> <0xA0>'], true);
const template = (single, pair) => ({ type: 'TemplateProcessing', single: single.map(part), pair: pair.map(part), special_tokens: { x: { id: 'x', ids: [3, 4], tokens: ['c', 'd'] }, y: { id: 'y', ids: [5], tokens: ['e'] } } });
function part(id) { return id === 'A' || id === 'B' ? { Sequence: { id, type_id: 0 } } : { SpecialToken: { id, type_id: 0 } }; }
const bert = { type: 'BertProcessing', sep: ['</s>', 2], cls: ['<s>', 1] };
const roberta = { ...bert, type: 'RobertaProcessing', trim_offsets: true, add_prefix_space: true };
for (const processors of [[template(['x', 'A'], ['A', 'B']), bert], [template(['x', 'A', 'y'], ['A', 'B']), roberta], [template(['A', 'y'], ['A', 'B']), template(['A'], ['x', 'B', 'A', 'y'])], [bert, template(['y', 'A'], ['A', 'B'])], []])
  add('processors ' + processors.map(p => p.type + (p.single ?? []).length).join(' '), { post_processor: { type: 'Sequence', processors } }, ['hello'], true);
for (const pattern of ['l*', '^', '\\b', '(?=l)', 'x|'])
  add('replaced where nothing is, ' + pattern, { normalizer: { type: 'Replace', pattern: { Regex: pattern }, content: '-' } }, ['', 'hello', 'allo\nxa'], true);
add('a split by nothing', { model: word, pre_tokenizer: { type: 'Split', pattern: { String: '' }, behavior: 'Isolated', invert: false } }, ['ok,a', 'ab\u{1F642}'], true);
// A trie of one byte, 7, whose value is a text that is empty.
const map = Buffer.alloc(4 + 4 * 256 + 1);
map.writeUInt32LE(4 * 256, 0);
for (const [at, unit] of [[0, 1 << 10], [1 ^ 7, (2 << 10) | (1 << 8) | 7], [1 ^ 7 ^ 2, 0x80000000]]) map.writeUInt32LE(unit, 4 + 4 * at);
for (const normalizer of [{ type: 'Precompiled', precompiled_charsmap: map.toString('base64') }, { type: 'Replace', pattern: { String: 'he' }, content: 'x' }, { type: 'Replace', pattern: { String: 'h' }, content: 'x' }])
  add('the beginning after ' + normalizer.type + (normalizer.pattern?.String ?? ''), { normalizer, model: unigram, pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'first', split: true } }, ['\u0007hello', '\u0007\u0301hello', 'hello', ' hello'], true);
add('cut by a young and an old script', { model: word, pre_tokenizer: { type: 'Split', pattern: { Regex: '\\p{Bassa_Vah}+|\\p{Anatolian_Hieroglyphs}' }, behavior: 'Isolated', invert: false } }, ['a\u{16AD0}\u{16AD1}\u{14400}b'], true);
const syntax = ['\\pL', '\\Qo.k\\E', '\\N+', '\\O{3}', '\\R', '\\h+', '[\\H]', '[[:^alpha:]]', '[[:]o]', '[a[bc]&&[^b]]', '(?>ok?)k', 'o?+k', 'l{2,1}', 'l{1,2}+o', 'l{1}?', 'l{,1}', 'l{', '(?<n>o)k', "(?'n'l)\\k<n>", '(l)\\1', 'ok(?i)A|B', '(?x) o k # c)\n|a', '(?im:A.)b', '(?i:a(?-i:B))', '(?#a\\))o(?#c)+', '\\x{6F 6B}', '\\o{157}k', '\\157k', '[\\157\\R]', '^', '$', '\\G.', "(?i)'s", '(?i)[r-t]', '(?i:\u03b8)', '[--a]', '[]o]', '\\cI', '\\e|\\q', '(?i)[^s]+', '(?<=o)k', '(?:a|ab)++b'];
for (const pattern of syntax) add('syntax ' + pattern, { model: { type: 'Unigram', unk_id: 0, byte_fallback: false, vocab: [['<unk>', -99], ...[...characters, '\u017f', '\u03d1', 'q', '{', 'A', 'B', '\r', '*'].map(c => [c, -9]), ['ok', -1], ['ll', -1], ['lo', -2], ['ab', -1], ['hel', -1], ['lk', -3], ["'s", -1], ["'\u017f", -1], ['pL', -1], ['oK', -1], ['aB', -1], ['k\r', -1]] }, pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false } }, ['hello ok\r\nkab Ba l{aB', "Qo.kE pLok oK ABok's'\u017fo-\t\u03d1\u03b8q"], true);
add('metaspace at the beginning after other cuts', { model: unigram, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { String: ' ' }, behavior: 'Removed', invert: false }, { type: 'Digits', individual_digits: true }, { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'first', split: true }] } }, ['hello hello', 'he1he hello', 'hello hello'], true);
(async () => {
  const rows = [];
  for (const [name, all, json] of cases) {
    // A normalizer with a token for every character shows text as ids; the first id of 0 stands for what has none.
    let tokenizer;
    try { tokenizer = Tokenizer.fromString(JSON.stringify(json)); } catch (e) { process.stderr.write(name + ': ' + e.message + '\n'); continue; }
    const results = [];
    for (const text of all) {
      try {
        const ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
        const special = (await tokenizer.encode(text, null, { addSpecialTokens: true })).getIds();
        results.push([text, ids, special, await tokenizer.decode(special, false), await tokenizer.decode(special, true)]);
      } catch (e) { process.stderr.write(name + ' on ' + JSON.stringify(text) + ': ' + e.message + '\n'); }
    }
    rows.push([name, json, results]);
  }
  const line = value => JSON.stringify(value).replace(/[\u007f-\uffff]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
  console.log('[\n' + rows.map(([name, json, results]) => `{"name":${line(name)},"tokenizer":${line(json)},"cases":[\n${results.map(line).join(',\n')}]}`).join(',\n') + '\n]');
})();

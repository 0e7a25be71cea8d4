"""Makes cases of SentencePiece's options with SentencePiece itself:
    pip install sentencepiece==0.2.2 && python3 make_sentencepiece_cases.py > SentencePieceCases.json
A row is a model in Base64 and, for each text, its ids and what they decode to; then rows of ids alone."""
import base64, itertools, json, struct
import sentencepiece

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
UNIGRAM, BPE = 1, 2


def field(number, value):
    def varint(n):
        out = b""
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def character_map():
    """A double-array trie of two bytes: a tab becomes a space, a bell disappears."""
    units, texts = [0] * 256, b" \0\0"
    units[0] = 1 << 10
    for byte, offset, text in ((9, 4, 0), (7, 8, 2)):
        units[1 ^ byte] = offset << 10 | 1 << 8 | byte
        units[1 ^ byte ^ offset] = 0x80000000 | text
    return struct.pack("<I", 4 * len(units)) + struct.pack("<256I", *units) + texts


def model(pieces, kind, dummy=True, remove=True, escape=True, suffix=False, table=b"", surface=None):
    has_bytes = any(piece[2] == BYTE for piece in pieces)
    message = b"".join(field(1, field(1, text) + field(2, float(score)) + field(3, piece)) for text, score, piece in pieces)
    trainer = field(3, kind) + field(24, int(suffix)) + field(35, int(has_bytes)) + (b"" if surface is None else field(44, surface))
    return message + field(2, trainer) + field(3, field(2, table) + field(3, int(dummy)) + field(4, int(remove)) + field(5, int(escape)))


BEGINNING = [("<unk>", 0, UNKNOWN), ("<s>", 0, CONTROL), ("</s>", 0, CONTROL)]
LETTERS = [(letter, -6 - i / 8, NORMAL) for i, letter in enumerate("\u2581 abcdelo")]
WORDS = [("\u2581a", -1, NORMAL), ("ab", -2, NORMAL), ("abc", -3, NORMAL), ("lo", -2.5, NORMAL), ("a\u2581", -4, NORMAL), ("\u2581\u2581", -5, NORMAL)]
BYTES = [(f"<0x{value:02X}>", 0, BYTE) for value in range(256)]
TEXTS = ["", " ", "  ", "\u2581", "\7", "\7 ", " \7a", "a", " a  b ", "abc abc", "ab\tab", "a\u2581 b", "\u2581\u2581a", "lo  lo\7", "x", "axxb", "\u00e9a"]

cases = []


def add(name, data, texts, ids=()):
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(data)
    rows = [[text, processor.EncodeAsIds(text), processor.DecodeIds(processor.EncodeAsIds(text))] for text in texts]
    cases.append({"name": name, "model": base64.b64encode(data).decode(), "cases": rows, "ids": [[row, processor.DecodeIds(row)] for row in ids]})


for dummy, remove, escape, suffix in itertools.product([True, False], repeat=4):
    name = " ".join(word for word, on in (("dummy", dummy), ("remove", remove), ("escape", escape), ("suffix", suffix)) if on)
    # A dummy suffix beside a text that is only what disappears is left to SentencePiece.
    texts = [text for text in TEXTS if not (dummy and remove and suffix and text.strip(" \7\u2581\t") == "")]
    add("spaces " + name, model(BEGINNING + LETTERS + WORDS, UNIGRAM, dummy, remove, escape, suffix, character_map()), texts)
whole = [("  ", 0, USER), (" b", 0, USER), ("lo", -9, USER), ("\u2581a", 0, USER)]
for kind in (UNIGRAM, BPE):
    add(f"user-defined pieces of type {kind}", model(BEGINNING + LETTERS + whole + [("al", -1, NORMAL), ("ol", -1, NORMAL)], kind, table=character_map()), TEXTS + ["alo lolo", "a\t\tb", "\7  b"])
    unused = [("ab", -1, UNUSED), ("abc", -2, NORMAL), ("lo", -3, UNUSED), ("bl", -0.5, UNUSED), ("d", 0, UNUSED)]
    add(f"unused pieces of type {kind}", model(BEGINNING + LETTERS[:5] + unused + [("l", -8, NORMAL), ("o", -9, NORMAL)], kind), ["abcab", "lolo ablo", "dd", "abl"], [[3, 8, 10, 12]])
    add(f"a control piece of one letter, type {kind}", model(BEGINNING + [("a", 0, CONTROL)] + [piece for piece in LETTERS if piece[0] != "a"] + [("bc", -1, NORMAL), ("ab", -1, NORMAL)], kind), ["abc", "cab", "ba"])
    for surface in (None, "", "\u2581?"):
        add(f"the unknown piece, type {kind}, decodes to {surface}", model(BEGINNING + LETTERS + WORDS, kind, surface=surface), ["x a", "a xx b"], [[0, 0, 3, 0], [0, 12]])
    add(f"bytes of type {kind}", model(BEGINNING + BYTES + LETTERS + WORDS, kind), ["\u00e9\u4f60a", "a<unk>", "\U0001F642"],
        [[198, 172], [198, 1, 172], [198, 171, 259, 172], [68, 258, 258, 231, 2, 138, 163, 172], [131, 259, 260]])
# Sums of single precision, which begin anew where they are large.
add("scores that are nearly equal", model(BEGINNING + [("\u2581", -1, NORMAL), ("a", -1.1, NORMAL), ("aaa", -3.3000001907348633, NORMAL), ("aa", -2.2, NORMAL), ("b", -0.1, NORMAL), ("bbb", -0.3, NORMAL)], UNIGRAM), ["a" * 11, "b" * 11, "ab" * 7])
add("a long text", model(BEGINNING + [("\u2581", -1, NORMAL), ("a", -900.1, NORMAL), ("aa", -1800.2001953125, NORMAL), ("b", -1000, NORMAL), ("bb", -2000.0001220703125, NORMAL)], UNIGRAM), ["a" * 300 + "b" * 301])

print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")

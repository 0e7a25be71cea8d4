using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Convert.Tokenizers;
using Weft.Reference;
using Weft.Tokenizers;

namespace Weft.Convert.Tests.Tokenizers;

/// <summary>
/// Files that a downloaded model could carry to use up time, memory or stack: an error, within a second of beginning to read. What is merely
/// odd is read, and then a text of a few thousand characters takes no longer either.
/// </summary>
[TestFixture]
public sealed class HostileTokenizerTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly string Text = new string('a', 2000) + "!";

    private ScratchFolder folder = null!;

    private static IEnumerable<TestCaseData> Expressions =>
    [
        Case("nested repeats", "(a+)+$"),
        Case("overlapping choices", "(?:a|aa|a{1,9})*b"),
        Case("three stars", "(.*)*(.*)*(.*)*x"),
        Case("large counts in large counts", "((a{1,1000}){1,1000}){1,1000}b"),
        Case("a count beyond all numbers", "a{99999999999999999999}"),
        Case("groups that open", Repeat("(", 50_000)),
        Case("sets that open", Repeat("[", 5_000)),
        Case("sets in sets", Repeat("[a&&", 199) + "b" + Repeat("]", 199) + "(a+)+$", refused: false),
        Case("choices that open", Repeat("(?:a|", 10_000)),
        Case("look-ahead in look-ahead", Repeat("(?=a*", 190) + Repeat(")", 190) + "(a*)*$b"),
        Case("look-behind", "(?<=(a+)+b)!x|(a|a)*$x", refused: false),
        Case("back-references", @"(a*)(a*)(a*)(a*)\1\2\3\4b"),
        Case("long expression of choices", "(?:" + string.Join('|', Enumerable.Range(0, 2000).Select(i => $"a{i}*")) + ")*?[!]!(a*)*b"),
        Case("too long an expression", Repeat("a", 30_000)),
        Case("many possessive repeats", "a" + Repeat("++", 5_000) + "(a+)+$", refused: false),
    ];

    private static IEnumerable<TestCaseData> Parts =>
    [
        Part("more expressions than anyone needs", "pre_tokenizer", Sequence("pretokenizers", 1000, """{"type":"Split","behavior":"Isolated","invert":false,"pattern":{"Regex":"a"}}""")),
        Part("words that grow in every step", "pre_tokenizer", Sequence("pretokenizers", 15, """{"type":"ByteLevel","add_prefix_space":true,"use_regex":false},{"type":"FixedLength","length":1}""")),
        Part("a space that is a book", "pre_tokenizer", $$$"""{"type":"Metaspace","replacement":"{{{Repeat("x", 1_000_000)}}}","prepend_scheme":"always"}"""),
        Part("texts that double", "normalizer", Sequence("normalizers", 60, """{"type":"Replace","pattern":{"String":"a"},"content":"aa"}""")),
        Part("texts that double by an expression", "normalizer", Sequence("normalizers", 30, """{"type":"Replace","pattern":{"Regex":"a"},"content":"aa"}""")),
        Part("one text becomes a book", "normalizer", $$$"""{"type":"Replace","pattern":{"String":"a"},"content":"{{{Repeat("x", 1_000_000)}}}"}"""),
        Part("many books in front", "normalizer", Sequence("normalizers", 100, $$$"""{"type":"Prepend","prepend":"{{{Repeat("x", 1000)}}}"}""")),
        Part("the alphabet of the alphabet", "normalizer", Sequence("normalizers", 30, """{"type":"Prepend","prepend":"é"},{"type":"ByteLevel"}""")),
        Part("many forms", "normalizer", Sequence("normalizers", 5000, """{"type":"NFKD"}""")),
        Part("tokens that double when decoded", "decoder", Sequence("decoders", 60, """{"type":"Replace","pattern":{"String":"a"},"content":"aa"}""")),
        Part("tokens that become books when decoded", "decoder", $$$"""{"type":"Replace","pattern":{"String":"a"},"content":"{{{Repeat("x", 1_000_000)}}}"}"""),
        Part("a slow expression in the decoder", "decoder", """{"type":"Replace","pattern":{"Regex":"(a+)+$"},"content":""}""", "a" + Repeat("a", 900) + "!"),
        Part("many decoders", "decoder", Sequence("decoders", 5000, """{"type":"ByteFallback"}""")),
        Part("parts in parts", "normalizer", Repeat("""{"type":"Sequence","normalizers":[""", 100_000)),
        Part("many tokens in front", "post_processor", """{"type":"TemplateProcessing","special_tokens":{"x":{"ids":[0""" + Repeat(",0", 10_000) + """]}},"single":[""" + Repeat("""{"SpecialToken":{"id":"x"}},""", 10_000) + """{"Sequence":{"id":"A"}}]}"""),
        Part("a replacement without an end", "normalizer", $$$"""{"type":"Precompiled","precompiled_charsmap":"{{{CharacterMap(circle: false)}}}"}"""),
        Part("a giant character map", "normalizer", $$$"""{"type":"Precompiled","precompiled_charsmap":"{{{Repeat("//79", 4_000_000)}}}"}"""),
    ];

    [SetUp]
    public void MakeFolder() => folder = new();

    [TearDown]
    public void DeleteFolder() => folder.Dispose();

    [TestCaseSource(nameof(Expressions))]
    public void An_expression_ends_within_a_second(string pattern, bool refused)
    {
        var split = JsonSerializer.Serialize(new { type = "Split", behavior = "Isolated", invert = false, pattern = new { Regex = pattern } });
        if (refused)
            AssertRefused(Json("pre_tokenizer", split));
        else
            AssertEnds(Json("pre_tokenizer", split), Text);
        // Words of twenty letters, of each of which the expression tries everything anew.
        AssertEnds(Json("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"FixedLength","length":20},""" + split + "]}"), Text);
    }

    [TestCaseSource(nameof(Parts))]
    public void A_part_ends_within_a_second(string name, string part, string token) => AssertRefused(Json(name, part, token));

    [Test]
    public void Many_slow_expressions_share_the_time()
    {
        var split = JsonSerializer.Serialize(new { type = "Split", behavior = "Isolated", invert = false, pattern = new { Regex = "(?:a{1,6}){1,5}[^a!]" } });
        AssertEnds(Json("pre_tokenizer", Sequence("pretokenizers", 30, split)), Text);
    }

    [Test]
    public void Prefixes_and_suffixes_of_words_do_not_fill_the_stack()
    {
        foreach (var name in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
            AssertRefused($$$"""{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"{{{name}}}":"{{{Repeat("x", 4_000_000)}}}"} }""");
    }

    [Test]
    public void Ids_far_apart_do_not_fill_the_memory()
    {
        AssertRefused("""{"model":{"type":"BPE","vocab":{"a":16000000},"merges":[]}}""");
        AssertEncodes("""{"added_tokens":[{"id":4000000000,"content":"x"}],"model":{"type":"BPE","vocab":{"a":4000000},"merges":[]}}""", Text);
    }

    [Test]
    public void An_endless_token_is_refused() =>
        AssertRefused($$$"""{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0],["{{{Repeat("a", 1_000_000)}}}",0]]}}""");

    [Test]
    public void An_added_token_without_a_text_is_refused() =>
        AssertRefused("""{"added_tokens":[{"id":1,"content":null}],"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}""");

    [Test]
    public void A_character_map_that_leads_in_a_circle_is_left()
    {
        AssertEncodes(Json("normalizer", $$$"""{"type":"Precompiled","precompiled_charsmap":"{{{CharacterMap(circle: true)}}}"}"""), new string('a', 50_000));
        File.WriteAllBytes(folder["spiece.model"], SentencePieceBytes.Write([.. SentencePieceBytes.Beginning, new("a", -1, PieceType.Normal)], 1, System.Convert.FromBase64String(CharacterMap(circle: true))));
        File.Delete(folder["tokenizer.json"]);
        Assert.That(Clock.Shortest(Second, () => Tokenizer.Create(TokenizerReader.Read(folder.Root)!).Encode(new string('a', 50_000))), Is.LessThan(Second));
    }

    [Test]
    public void Many_added_tokens_that_begin_alike_are_found_as_fast_as_one()
    {
        var added = Enumerable.Range(0, 20_000).Select(i => new { id = i + 1, content = $"{new string('<', 20)}{i}>" });
        AssertEncodes(Json("added_tokens", JsonSerializer.Serialize(added)), new string('<', 50_000));
    }

    [Test]
    public void Many_long_tokens_of_one_letter_are_tried_in_time()
    {
        var tokens = Enumerable.Range(1, 1000).Select(length => new object[] { new string('a', length), -(float)length });
        AssertEncodes($$$"""{"model":{"type":"Unigram","unk_id":0,"vocab":{{{JsonSerializer.Serialize(tokens)}}} } }""", new string('a', 10_000));
    }

    [Test]
    public void Many_normalized_tokens_share_what_normalizing_may_cost()
    {
        var added = Enumerable.Range(0, 10_000).Select(i => new { id = i + 1, content = $"a{i}", normalized = true });
        AssertRefused(Json("normalizer", Sequence("normalizers", 12, """{"type":"Replace","pattern":{"String":"a"},"content":"aaa"}"""), added: JsonSerializer.Serialize(added)));
    }

    [Test]
    public void Endlessly_many_normalized_tokens_are_refused()
    {
        var added = Enumerable.Range(0, 300_000).Select(i => new { id = i + 1, content = $"ﬁ{i}", normalized = true });
        AssertRefused(Json("normalizer", """{"type":"NFKC"}""", added: JsonSerializer.Serialize(added)));
    }

    private static TestCaseData Case(string name, string pattern, bool refused = true) => new TestCaseData(pattern, refused).SetArgDisplayNames(name);

    private static TestCaseData Part(string name, string part, string json, string token = "a") => new TestCaseData(part, json, token).SetArgDisplayNames(name);

    private static string Sequence(string parts, int count, string part) => $"{{\"type\":\"Sequence\",\"{parts}\":[{string.Join(',', Enumerable.Repeat(part, count))}]}}";

    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));

    /// <summary>A table in which 'a' leads to itself, or to a replacement of a million bytes that does not end.</summary>
    private static string CharacterMap(bool circle)
    {
        // Units of 32 bits: bits 10 and on are an offset, which the next byte is taken against; bit 8 says that a value stands at the offset.
        var units = new uint[512];
        units[0] = 1 << 10;
        units[1 ^ 'a'] = circle ? ('a' << 10) | 'a' : (256u << 10) | (1 << 8) | 'a';
        var table = new byte[4 + (4 * units.Length) + (circle ? 0 : 1_000_000)];
        BinaryPrimitives.WriteUInt32LittleEndian(table, (uint)(4 * units.Length));
        for (var i = 0; i < units.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(4 + (4 * i)), units[i]);
        table.AsSpan(4 + (4 * units.Length)).Fill((byte)'x');
        return System.Convert.ToBase64String(table);
    }

    private static string Json(string name, string part, string token = "a", string added = "[]")
    {
        var model = JsonSerializer.Serialize(new { type = "BPE", vocab = new Dictionary<string, int> { [token] = 0, ["b"] = 1 }, merges = Array.Empty<string>() });
        return name == "added_tokens" ? $"{{\"added_tokens\":{part},\"model\":{model}}}" : $"{{\"added_tokens\":{added},\"model\":{model},\"{name}\":{part}}}";
    }

    private void AssertRefused(string json)
    {
        File.WriteAllText(folder["tokenizer.json"], json);
        Assert.That(Clock.Shortest(Second, () => Assert.That(() => Tokenizer.Create(TokenizerReader.Read(folder.Root)!).Encode(Text), Throws.TypeOf<WeftException>())), Is.LessThan(Second));
    }

    private void AssertEncodes(string json, string text)
    {
        File.WriteAllText(folder["tokenizer.json"], json);
        Assert.That(Clock.Shortest(Second, () => Tokenizer.Create(TokenizerReader.Read(folder.Root)!).Encode(text)), Is.LessThan(Second));
    }

    /// <summary>With ids or an error: which of them is the engine's matter.</summary>
    private void AssertEnds(string json, string text)
    {
        File.WriteAllText(folder["tokenizer.json"], json);
        var time = Clock.Shortest(Second, () =>
        {
            try
            {
                Tokenizer.Create(TokenizerReader.Read(folder.Root)!).Encode(text);
            }
            catch (WeftException)
            {
                // That is an end as well.
            }
        });
        Assert.That(time, Is.LessThan(Second));
    }
}

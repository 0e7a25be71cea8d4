using System.Text.Json;
using Weft.Convert.Tests.Support;
using Weft.Convert.Tokenizers;
using Weft.Tokenizers;

namespace Weft.Convert.Tests.Tokenizers;

/// <summary>
/// Tokenizers of encoder-decoders and their relatives: which ids their classes make of a SentencePiece model's, and what they put around a
/// text. The model has ten pieces; where the released ones have a known id, its distance from their first added token is checked.
/// </summary>
[TestFixture]
public sealed class TranslationTokenizerTests
{
    private static readonly string[] Pieces = ["▁he", "llo", "▁world", "▁", "l", "o", "w"];

    private ScratchFolder folder = null!;

    [SetUp]
    public void MakeFolder() => folder = new();

    [TearDown]
    public void DeleteFolder() => folder.Dispose();

    // fairseq: <s> 0, <pad> 1, </s> 2, <unk> 3, pieces one higher than the model's, added tokens from 11 on.
    // The released models' ids, less their first added token's: en_XX 250004 - 250001, fr_XX 250008, <mask> 250026 (mBART) and 250053 (mBART-50);
    // eng_Latn 256047 - 256001, fra_Latn 256057, <mask> 256203 (NLLB).
    [TestCase("XLMRobertaTokenizer", null, new[] { 0, 4, 5, 6, 2 }, "<mask>", 11)]
    [TestCase("XGLMTokenizer", null, new[] { 2, 4, 5, 6 }, "<madeupword6>", 17)]
    [TestCase("MBartTokenizer", null, new[] { 4, 5, 6, 2, 14 }, "<mask>", 36)]
    [TestCase("MBartTokenizer", "fr_XX", new[] { 4, 5, 6, 2, 18 }, "zh_CN", 35)]
    [TestCase("MBart50Tokenizer", null, new[] { 14, 4, 5, 6, 2 }, "<mask>", 63)]
    [TestCase("MBart50TokenizerFast", "sl_SI", new[] { 62, 4, 5, 6, 2 }, "af_ZA", 36)]
    [TestCase("NllbTokenizer", null, new[] { 57, 4, 5, 6, 2 }, "<mask>", 213)]
    [TestCase("NllbTokenizerFast", "fra_Latn", new[] { 67, 4, 5, 6, 2 }, "ace_Arab", 11)]
    public void Classes_of_fairseq_shift_the_ids(string name, string? language, int[] expected, string further, int furtherId)
    {
        WriteModel("sentencepiece.bpe.model", SentencePieceBytes.Beginning);
        WriteConfig(new() { ["tokenizer_class"] = name, ["src_lang"] = language });
        var tokenizer = Load();
        Assert.That(tokenizer.Encode("hello world"), Is.EqualTo(expected));
        Assert.That(tokenizer.Decode(expected), Is.EqualTo("hello world"));
        Assert.That(tokenizer.Encode(further, addSpecialTokens: false), Is.EqualTo(new[] { furtherId }));
        Assert.That(tokenizer.Encode("<s></s><pad>", addSpecialTokens: false), Is.EqualTo(new[] { 0, 2, 1 }));
        Assert.That(tokenizer.Encode("hello ü", addSpecialTokens: false), Is.EqualTo(new[] { 4, 5, 7, 3 }));
        Assert.That(tokenizer.IsSpecial(furtherId));
    }

    [Test]
    public void A_mask_takes_the_space_before_it_along()
    {
        WriteModel("sentencepiece.bpe.model", SentencePieceBytes.Beginning);
        WriteConfig(new() { ["tokenizer_class"] = "MBartTokenizer" });
        Assert.That(Load().Encode("hello <mask> world", addSpecialTokens: false), Is.EqualTo(new[] { 4, 5, 36, 6 }));
    }

    [Test]
    public void Nllb_once_put_the_language_last()
    {
        WriteModel("sentencepiece.bpe.model", SentencePieceBytes.Beginning);
        WriteConfig(new() { ["tokenizer_class"] = "NllbTokenizer", ["legacy_behaviour"] = true });
        Assert.That(Load().Encode("hello"), Is.EqualTo(new[] { 4, 5, 2, 57 }));
    }

    [Test]
    public void The_languages_of_a_config_replace_those_of_the_class()
    {
        WriteModel("sentencepiece.bpe.model", SentencePieceBytes.Beginning);
        WriteConfig(new() { ["tokenizer_class"] = "NllbTokenizer", ["src_lang"] = "tlh_Latn" });
        File.WriteAllText(folder["special_tokens_map.json"], """{"additional_special_tokens":["eng_Latn","tlh_Latn"]}""");
        var tokenizer = Load();
        Assert.That(tokenizer.Encode("hello"), Is.EqualTo(new[] { 12, 4, 5, 2 }));
        Assert.That(tokenizer.Encode("<mask>", addSpecialTokens: false), Is.EqualTo(new[] { 13 }));
    }

    // facebook/m2m100_418M: __en__ 128022 and __fr__ 128028, its vocab.json having 128004 entries.
    [TestCase(null, 28)]
    [TestCase("fr", 34)]
    public void M2M100_takes_ids_of_a_list_and_adds_languages(string? language, int id)
    {
        WriteModel("sentencepiece.bpe.model", SentencePieceBytes.Beginning);
        File.WriteAllText(folder["vocab.json"], """{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"llo":4,"▁world":5,"▁he":6,"▁":7,"l":8,"rare":9}""");
        WriteConfig(new() { ["tokenizer_class"] = "M2M100Tokenizer", ["src_lang"] = language });
        var tokenizer = Load();
        Assert.That(tokenizer.Encode("hello world"), Is.EqualTo(new[] { id, 6, 4, 5, 2 }));
        Assert.That(tokenizer.Decode(tokenizer.Encode("hello world")), Is.EqualTo("hello world"));
        Assert.That(tokenizer.Encode("__af__ __zu__", addSpecialTokens: false), Is.EqualTo(new[] { 10, 109 }));
        Assert.That(tokenizer.Encode("rare", addSpecialTokens: false), Has.No.Member(9), "it is no piece");
        Assert.That(tokenizer.Encode("<s></s>", addSpecialTokens: false), Is.EqualTo(new[] { 0, 2 }));
    }

    [Test]
    public void M2M100_needs_its_list()
    {
        WriteModel("sentencepiece.bpe.model", SentencePieceBytes.Beginning);
        WriteConfig(new() { ["tokenizer_class"] = "M2M100Tokenizer" });
        Assert.That(() => TokenizerReader.Read(folder.Root), Throws.TypeOf<WeftException>().With.Message.Contains("vocab.json is missing"));
    }

    [Test]
    public void A_language_that_is_not_there_is_said()
    {
        WriteModel("sentencepiece.bpe.model", SentencePieceBytes.Beginning);
        WriteConfig(new() { ["tokenizer_class"] = "MBartTokenizer", ["src_lang"] = "tlh" });
        Assert.That(() => TokenizerReader.Read(folder.Root), Throws.TypeOf<WeftException>().With.Message.Contains("source language 'tlh'"));
    }

    [TestCase("T5Tokenizer", null)]
    [TestCase("", "t5")]
    [TestCase("", "umt5")]
    public void T5_adds_sentinels_from_the_last_to_the_first(string name, string? model)
    {
        WriteModel("spiece.model", [new("<pad>", 0, PieceType.Control), new("</s>", 0, PieceType.Control), new("<unk>", 0, PieceType.Unknown)]);
        WriteConfig(name.Length > 0 ? new() { ["tokenizer_class"] = name } : new() { ["model_max_length"] = 512 });
        if (model is not null)
            File.WriteAllText(folder["config.json"], $$"""{"model_type":"{{model}}"}""");
        var tokenizer = Load();
        Assert.That(tokenizer.Encode("hello world"), Is.EqualTo(new[] { 3, 4, 5, 1 }));
        Assert.That(tokenizer.Encode("hello <extra_id_0> world <extra_id_99>", addSpecialTokens: false), Is.EqualTo(new[] { 3, 4, 109, 5, 10 }));
        Assert.That(tokenizer.Decode([3, 4, 109, 5, 1]), Is.EqualTo("hello world"));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(110));
    }

    [Test]
    public void MT5_has_its_sentinels_among_the_pieces()
    {
        WriteModel("spiece.model", [new("<pad>", 0, PieceType.Control), new("</s>", 0, PieceType.Control), new("<unk>", 0, PieceType.Unknown)]);
        WriteConfig(new() { ["tokenizer_class"] = "MT5Tokenizer", ["extra_ids"] = 0 });
        Assert.That(Load().VocabularySize, Is.EqualTo(10));
    }

    [TestCase("NllbTokenizerFast", null, new[] { 5, 4, 2 })]
    [TestCase("NllbTokenizerFast", "fra_Latn", new[] { 6, 4, 2 })]
    [TestCase("NllbTokenizer", "fra_Latn", new[] { 6, 4, 2 })]
    [TestCase("M2M100Tokenizer", "af", new[] { 7, 4, 2 })]
    [TestCase("MBartTokenizerFast", "eng_Latn", new[] { 4, 2, 5 })]
    [TestCase("MBartTokenizerFast", null, new[] { 4, 2, 6 }, TestName = "Without a default language the file is right")]
    [TestCase("XLMRobertaTokenizerFast", null, new[] { 4, 2, 6 }, TestName = "Other classes take what the file says")]
    public void A_tokenizer_json_gets_the_language_of_the_config(string name, string? language, int[] expected)
    {
        static object Added(int id, string content) => new { id, content, special = true, lstrip = false, rstrip = false, single_word = false, normalized = false };
        File.WriteAllText(folder["tokenizer.json"], JsonSerializer.Serialize(new
        {
            added_tokens = new[] { Added(0, "<s>"), Added(1, "<pad>"), Added(2, "</s>"), Added(3, "<unk>"), Added(5, "eng_Latn"), Added(6, "fra_Latn"), Added(7, "__af__") },
            pre_tokenizer = new { type = "Metaspace", replacement = "▁", prepend_scheme = "always", split = true },
            post_processor = new
            {
                type = "TemplateProcessing",
                single = new object[] { new { Sequence = new { id = "A", type_id = 0 } }, new { SpecialToken = new { id = "</s>", type_id = 0 } }, new { SpecialToken = new { id = "fra_Latn", type_id = 0 } } },
                special_tokens = new Dictionary<string, object> { ["</s>"] = new { ids = new[] { 2 } }, ["fra_Latn"] = new { ids = new[] { 6 } } },
            },
            decoder = new { type = "Metaspace", replacement = "▁", prepend_scheme = "always", split = true },
            model = new { type = "Unigram", unk_id = 3, vocab = new object[][] { ["<s>", 0], ["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["▁hello", -1] } },
        }));
        WriteConfig(new() { ["tokenizer_class"] = name, ["src_lang"] = language });
        Assert.That(Load().Encode("hello"), Is.EqualTo(expected));
    }

    private void WriteModel(string name, IReadOnlyList<Piece> beginning) => File.WriteAllBytes(folder[name], SentencePieceBytes.Write(beginning, Pieces));

    private void WriteConfig(Dictionary<string, object?> config) => File.WriteAllText(folder["tokenizer_config.json"], JsonSerializer.Serialize(config));

    private Tokenizer Load() => Tokenizer.Create(TokenizerReader.Read(folder.Root)!);
}

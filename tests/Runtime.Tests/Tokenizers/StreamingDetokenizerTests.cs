using Weft.Tokenizers;

namespace Weft.Runtime.Tests.Tokenizers;

/// <summary>Streams of decoders whose tokens change with their neighbours.</summary>
[TestFixture]
public sealed class StreamingDetokenizerTests
{
    [Test]
    public void Text_that_the_next_token_may_change_waits()
    {
        var stream = Stream(["</w>d", "▁ｱ", "x</w>"], new DecoderStep { Kind = DecoderKind.WordSuffix, Pattern = "</w>" });
        Assert.That(new[] { stream.Append(0), stream.Append(1), stream.Append(2), stream.Flush() }, Is.EqualTo(new[] { "", " d▁ｱ", "x", "" }));
    }

    [Test]
    public void A_stream_goes_on_after_a_token_that_changed_what_was_shown()
    {
        var stream = Stream(["a", "b", "c🙂"], new DecoderStep { Kind = DecoderKind.Fuse }, new DecoderStep { Kind = DecoderKind.ReplaceExpression, Pattern = "a(?=b)", Content = "X" });
        Assert.That(new[] { stream.Append(0), stream.Append(1), stream.Append(2), stream.Flush() }, Is.EqualTo(new[] { "a", "b", "c🙂", "" }), "the whole text is 'Xbc🙂'");
    }

    [Test]
    public void Bytes_in_a_row_show_whole_characters_until_one_is_wrong()
    {
        string[] tokens = ["<0xC3>", "<0xA9>", "a"];
        var stream = Stream(tokens, new DecoderStep { Kind = DecoderKind.ByteRuns });
        Assert.That(new[] { 0, 1, 0, 2, 0, 0, 1, 2 }.Select(stream.Append).Append(stream.Flush()), Is.EqualTo(new[] { "", "é", "", "\uFFFDa", "", "", "", "\uFFFD\uFFFD\uFFFDa", "" }));
        var tokenizer = Make(tokens, new DecoderStep { Kind = DecoderKind.ByteRuns });
        Assert.That(tokenizer.Decode([0, 1, 0, 2, 0, 1, 0, 1, 2]), Is.EqualTo("\uFFFD\uFFFD\uFFFDaééa"), "without a stream all bytes of the row are replaced");
    }

    [Test]
    public void Characters_of_a_decoder_that_keeps_them_do_not_wait()
    {
        var stream = Stream(["<0xC3>", "<0xA9>", "a"], new DecoderStep { Kind = DecoderKind.ByteFallback });
        Assert.That(new[] { stream.Append(0), stream.Append(1), stream.Append(0), stream.Append(2), stream.Flush() }, Is.EqualTo(new[] { "", "é", "", "\uFFFDa", "" }));
    }

    private static StreamingDetokenizer Stream(string[] tokens, params DecoderStep[] decoders) => new(Make(tokens, decoders));

    private static Tokenizer Make(string[] tokens, params DecoderStep[] decoders) =>
        Tokenizer.Create(new() { Model = new() { Kind = TokenModelKind.WordLevel, Tokens = tokens, Unknown = 0 }, Decoders = decoders });
}

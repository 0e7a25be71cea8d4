using System.Text.Json;
using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>
/// What tokenizer classes add to a SentencePiece model, as data: tokens around a text, ids that are shifted, tokens beyond the model's,
/// other spellings of white space. A class that is not named here is taken for LLaMA's, which most are copies of.
/// </summary>
internal static class SentencePieceClasses
{
    // ChatGLM-6B's longest run of spaces with a token of its own.
    private const int LongestBlank = 80;

    private static readonly string[] FairseqTokens = ["<s>", "<pad>", "</s>", "<unk>"];

    private static readonly string[] ChatGlmNames = ["bos_token", "eos_token", "end_token", "gmask_token", "mask_token", "pad_token", "unk_token"];

    public static TokenizerDescription Complete(TokenizerDescription tokenizer, SentencePieceModel model, TokenizerConfig config, string path) => config.Class switch
    {
        "T5Tokenizer" or "MT5Tokenizer" => T5(tokenizer, model, config),
        "ChatGLMTokenizer" when Path.GetFileName(path) == "ice_text.model" => ChatGlm1(tokenizer, model, config),
        "ChatGLMTokenizer" => ChatGlm2(tokenizer, model, config),
        "XGLMTokenizer" => Shifted(tokenizer, config, [.. Enumerable.Range(0, 7).Select(i => $"<madeupword{i}>")]) with { Prefix = [2] },
        "XLMRobertaTokenizer" => Shifted(tokenizer, config, [Mask(config)]) with { Prefix = [0], Suffix = [2] },
        _ when TranslationLanguages.Find(config) is { } languages => languages.Surround(
            config.Class == "M2M100Tokenizer"
                ? Listed(tokenizer, config, languages, Path.Combine(Path.GetDirectoryName(path)!, "vocab.json"))
                : Shifted(tokenizer, config, [.. languages.Languages, Mask(config)]),
            config),
        _ when Path.GetFileName(path) == "ice_text.model" => ChatGlm1(tokenizer, model, config),
        _ => Llama(tokenizer, model, config),
    };

    private static TokenizerDescription Llama(TokenizerDescription tokenizer, SentencePieceModel model, TokenizerConfig config)
    {
        if (!config.Exists)
            return tokenizer with { Prefix = Ids(model, "<s>") };
        return tokenizer with
        {
            AddedTokens = config.AddedTokens,
            Prefix = config.Flag("add_bos_token", whenMissing: true) ? Ids(model, config.Token("bos_token")) : [],
            Suffix = config.Flag("add_eos_token", whenMissing: false) ? Ids(model, config.Token("eos_token")) : [],
        };
    }

    /// <summary>The end of a text is marked; sentinels follow the model's pieces, the first of them last.</summary>
    private static TokenizerDescription T5(TokenizerDescription tokenizer, SentencePieceModel model, TokenizerConfig config)
    {
        var sentinels = Math.Clamp(config.Int("extra_ids", 100), 0, 1 << 16);
        var last = model.Pieces.Count + sentinels - 1;
        AddedToken[] extra = [.. Enumerable.Range(0, sentinels).Select(i => new AddedToken
        {
            Id = last - i,
            Content = $"<extra_id_{i}>",
            Special = true,
            StripLeft = true,
            StripRight = true,
        })];
        return tokenizer with { AddedTokens = Joined(config.AddedTokens, extra), Suffix = Ids(model, config.Token("eos_token") ?? "</s>") };
    }

    /// <summary>fairseq's ids: four special tokens come first, then the model's pieces from its fourth on, then the class's own tokens.</summary>
    private static TokenizerDescription Shifted(TokenizerDescription tokenizer, TokenizerConfig config, IReadOnlyList<string> further)
    {
        var pieces = tokenizer.Model;
        if (pieces.Tokens.Count < 3)
            throw new WeftException($"the SentencePiece model has {pieces.Tokens.Count} pieces; ids of this class begin after its third");
        return tokenizer with
        {
            AddedTokens = Joined(config.AddedTokens, Named(FairseqTokens, 0), Named(further, pieces.Tokens.Count + 1)),
            Model = pieces with
            {
                Tokens = [.. FairseqTokens, .. pieces.Tokens.Skip(3)],
                Scores = [0, 0, 0, 0, .. pieces.Scores!.Skip(3)],
                ControlTokens = [0, 1, 2, 3, .. pieces.ControlTokens.Where(id => id > 2).Select(id => id + 1)],
                UnusedTokens = [.. pieces.UnusedTokens.Where(id => id > 2).Select(id => id + 1)],
                WholeTokens = [.. pieces.WholeTokens.Where(id => id > 2).Select(id => id + 1)],
                Unknown = 3,
            },
        };
    }

    /// <summary>
    /// M2M-100: the ids of pieces are those of vocab.json, after which languages follow. Words of it that are no pieces are never made, nor
    /// are pieces that it does not list.
    /// </summary>
    private static TokenizerDescription Listed(TokenizerDescription tokenizer, TokenizerConfig config, TranslationLanguages languages, string vocabularyPath)
    {
        if (!File.Exists(vocabularyPath))
            throw new WeftException("the SentencePiece model has no ids of its own: vocab.json is missing beside it");
        using var document = JsonDocument.Parse(SourceReader.ReadAll(vocabularyPath));
        var ids = TokenModelJson.ReadIds(document.RootElement);
        var pieces = tokenizer.Model;
        var tokens = TokenModelJson.ByIds(ids);
        var scores = new double[tokens.Length];
        var made = new bool[tokens.Length];
        var apart = pieces.ControlTokens.Concat(pieces.UnusedTokens).ToHashSet();
        for (var i = 0; i < pieces.Tokens.Count; i++)
        {
            if (!apart.Contains(i) && ids.TryGetValue(pieces.Tokens[i]!, out var id))
                (scores[id], made[id]) = (pieces.Scores![i], true);
        }

        string[] names = [config.Token("bos_token") ?? "<s>", config.Token("pad_token") ?? "<pad>", config.Token("eos_token") ?? "</s>", config.Token("unk_token") ?? "<unk>"];
        var special = names.Distinct().Where(ids.ContainsKey).Select(name => new AddedToken { Id = ids[name], Content = name, Special = true }).ToList();
        return tokenizer with
        {
            AddedTokens = Joined(config.AddedTokens, special, Named(languages.Languages, ids.Count)),
            Model = pieces with
            {
                Tokens = tokens,
                Scores = scores,
                ControlTokens = [.. Enumerable.Range(0, tokens.Length).Where(id => tokens[id] is not null && !made[id])],
                UnusedTokens = [],
                WholeTokens = [.. pieces.WholeTokens.Where(id => ids.ContainsKey(pieces.Tokens[id]!)).Select(id => ids[pieces.Tokens[id]!])],
                Unknown = ids.TryGetValue(names[3], out var unknown) ? unknown : null,
            },
        };
    }

    private static string Mask(TokenizerConfig config) => config.Token("mask_token") ?? "<mask>";

    /// <summary>Special tokens with ids in a row; a mask is a word and takes the space before it along.</summary>
    private static AddedToken[] Named(IReadOnlyList<string> names, int first) =>
        [.. names.Select((name, i) => new AddedToken { Id = first + i, Content = name, Special = true, StripLeft = name == "<mask>" })];

    /// <summary>The tokens that the files give, then those of the class that they do not mention.</summary>
    private static AddedToken[] Joined(IReadOnlyList<AddedToken> given, params IReadOnlyList<AddedToken>[] others)
    {
        var known = given.Select(token => token.Content).ToHashSet();
        return [.. given, .. others.SelectMany(tokens => tokens).Where(token => known.Add(token.Content))];
    }

    /// <summary>
    /// ChatGLM-6B: line breaks, tabs and runs of spaces are spelt before the model sees them; ids begin after those of images, of which the
    /// released model kept none; a text ends with [gMASK] and &lt;sop&gt;.
    /// </summary>
    private static TokenizerDescription ChatGlm1(TokenizerDescription tokenizer, SentencePieceModel model, TokenizerConfig config)
    {
        var shift = Math.Clamp(config.Int("num_image_tokens", 0), 0, 1 << 20);
        List<(string Text, string Spelling)> spellings = [("\n", "<n>"), ("\t", "<|tab|>")];
        for (var length = LongestBlank; length > 1; length--)
            spellings.Add((new(' ', length), $"<|blank_{length}|>"));
        // What the model lacks would come out as single characters and back as the spelling: it is left alone.
        spellings.RemoveAll(spelling => model.Find(spelling.Spelling) is null);
        var pieces = tokenizer.Model;
        int[] Moved(IReadOnlyList<int> ids) => [.. ids.Select(id => id + shift)];
        var known = ChatGlmNames.Select(config.Token).Concat(["[gMASK]", "[MASK]", "<sop>", "<eop>"]).Distinct();
        return tokenizer with
        {
            AddedTokens = [.. known.Where(token => model.Find(token ?? "") is not null).Select(token => new AddedToken { Id = model.Find(token!)!.Value + shift, Content = token!, Special = true })],
            Normalizers = [.. spellings.Select(spelling => new NormalizerStep { Kind = NormalizerKind.Replace, Pattern = spelling.Text, Content = spelling.Spelling }), .. tokenizer.Normalizers],
            Model = pieces with
            {
                Tokens = [.. Enumerable.Repeat<string?>(null, shift), .. pieces.Tokens],
                Scores = [.. Enumerable.Repeat(0.0, shift), .. pieces.Scores!],
                ControlTokens = Moved(pieces.ControlTokens),
                UnusedTokens = Moved(pieces.UnusedTokens),
                WholeTokens = Moved(pieces.WholeTokens),
                Unknown = pieces.Unknown + shift,
            },
            Suffix = Moved([.. Ids(model, "[gMASK]"), .. Ids(model, config.Token("bos_token") ?? "<sop>")]),
            Decoders = [.. tokenizer.Decoders.Take(1), .. spellings.Select(spelling => new DecoderStep { Kind = DecoderKind.Replace, Pattern = spelling.Spelling, Content = spelling.Text }), .. tokenizer.Decoders.Skip(1)],
        };
    }

    /// <summary>ChatGLM2 and 3: special tokens follow the model's pieces, and a text begins with [gMASK] and sop.</summary>
    private static TokenizerDescription ChatGlm2(TokenizerDescription tokenizer, SentencePieceModel model, TokenizerConfig config)
    {
        string[] names = ["[MASK]", "[gMASK]", "[sMASK]", "sop", "eop"];
        if (config.Mentions("<|user|>") || config.Mentions("chatglm3"))
            names = [.. names, "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"];
        var first = model.Pieces.Count;
        // sop and eop are never looked for: they are words' ends as well.
        AddedToken[] added = [.. names.Select((name, i) => new AddedToken { Id = first + i, Content = name, Special = true })];
        return tokenizer with
        {
            AddedTokens = [.. added.Where(token => token.Content is not ("sop" or "eop"))],
            Model = tokenizer.Model with
            {
                Tokens = [.. tokenizer.Model.Tokens, .. names],
                Scores = [.. tokenizer.Model.Scores!, .. names.Select(_ => 0.0)],
                ControlTokens = [.. tokenizer.Model.ControlTokens, .. names.Select((_, i) => first + i)],
            },
            Prefix = [first + 1, first + 3],
        };
    }

    private static int[] Ids(SentencePieceModel model, string? token) => token is not null && model.Find(token) is { } id ? [id] : [];
}

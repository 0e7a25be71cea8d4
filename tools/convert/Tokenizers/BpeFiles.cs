using System.Text.Json;
using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads vocab.json and merges.txt: GPT-2's byte-level BPE and its relatives, and the BPE of lower-case words with ends of GPT and XLM.</summary>
internal static class BpeFiles
{
    private const string WordEnd = "</w>";

    private static readonly string[] SpecialNames = ["bos_token", "eos_token", "unk_token", "sep_token", "cls_token", "pad_token", "mask_token"];

    public static TokenizerDescription Read(string vocabularyPath, string mergesPath, TokenizerConfig config)
    {
        using var document = JsonDocument.Parse(SourceReader.ReadAll(vocabularyPath));
        var ids = TokenModelJson.ReadIds(document.RootElement);
        List<(string Left, string Right)> merges = [.. SourceReader.ReadLines(mergesPath)
            .Where((line, number) => line.Length > 0 && !(number == 0 && line.StartsWith("#version", StringComparison.Ordinal)))
            .Select(line => TokenModelJson.Halves(Pair(line)))];
        var words = merges.Any(merge => merge.Right.EndsWith(WordEnd, StringComparison.Ordinal));
        var model = new TokenModelDescription { Tokens = TokenModelJson.ByIds(ids), Merges = TokenModelJson.PairIds(merges, ids) };
        var tokenizer = words ? Words(model, ids, config) : Bytes(model, ids, config);
        return tokenizer with { AddedTokens = Added(ids, config, words ? null : "<|endoftext|>") };
    }

    // XLM's files end each line with how often the pair was seen.
    private static string Pair(string line) => line.Split(' ') is [var left, var right, _] ? $"{left} {right}" : line;

    private static TokenizerDescription Bytes(TokenModelDescription model, Dictionary<string, int> ids, TokenizerConfig config)
    {
        var qwen = config.Class == "Qwen2Tokenizer";
        var encloses = config.Class is "RobertaTokenizer" or "BartTokenizer" or "LEDTokenizer" or "LongformerTokenizer";
        List<PreTokenizerStep> steps = [new() { Kind = PreTokenizerKind.Split, Pattern = qwen ? WordPatterns.Qwen : WordPatterns.Gpt2 }];
        if (config.Flag("add_prefix_space", whenMissing: false))
            steps.Insert(0, new() { Kind = PreTokenizerKind.PrefixSpace });
        return new()
        {
            Normalizers = qwen ? [new() { Kind = NormalizerKind.Nfc }] : [],
            PreTokenizers = steps,
            Model = model with { ByteLevel = true },
            Prefix = encloses || config.Flag("add_bos_token", whenMissing: false) ? Id(ids, config.Token("bos_token") ?? (encloses ? "<s>" : null)) : [],
            Suffix = encloses ? Id(ids, config.Token("eos_token") ?? "</s>") : [],
            Decoders = [new() { Kind = DecoderKind.ByteAlphabet }],
        };
    }

    private static TokenizerDescription Words(TokenModelDescription model, Dictionary<string, int> ids, TokenizerConfig config)
    {
        var xlm = config.Class == "XLMTokenizer";
        NormalizerKind[] normalizers = [NormalizerKind.CleanText, NormalizerKind.SpaceIdeographs, NormalizerKind.Nfd, NormalizerKind.StripNonSpacingMarks, NormalizerKind.Lowercase];
        return new()
        {
            Normalizers = [.. normalizers.Select(kind => new NormalizerStep { Kind = kind })],
            PreTokenizers = PreTokenizerJson.BertWords,
            Model = model with { WordSuffix = WordEnd, Unknown = ids.TryGetValue(config.Token("unk_token") ?? "<unk>", out var unknown) ? unknown : null },
            Prefix = xlm ? Id(ids, config.Token("bos_token") ?? "<s>") : [],
            Suffix = xlm ? Id(ids, config.Token("sep_token") ?? "</s>") : [],
            Decoders = [new() { Kind = DecoderKind.WordSuffix, Pattern = WordEnd }],
        };
    }

    /// <summary>The tokens that the config adds or names as special; when it names none, the one that GPT-2 knows without being told.</summary>
    private static AddedToken[] Added(Dictionary<string, int> ids, TokenizerConfig config, string? implied)
    {
        var added = config.AddedTokens.ToList();
        var named = SpecialNames.Select(config.Token).OfType<string>().ToHashSet();
        if (named.Count == 0 && added.Count == 0 && implied is not null)
            named.Add(implied);
        foreach (var name in named.Where(name => ids.ContainsKey(name) && !added.Exists(token => token.Content == name)))
            added.Add(new() { Id = ids[name], Content = name, Special = true });
        return [.. added];
    }

    private static int[] Id(Dictionary<string, int> ids, string? token) => token is not null && ids.TryGetValue(token, out var id) ? [id] : [];
}

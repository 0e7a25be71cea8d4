using System.Globalization;
using System.Text;
using Weft.Convert.Checkpoints;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>
/// Reads tiktoken's format: a line a token, its bytes in Base64 and its rank, which is its id and the order of merges. How text is split
/// and which special tokens follow is written in the class that uses it, so the known ones are here. That Qwen 1's class brings a text into
/// form NFC first is no part of it: texts are encoded as they are.
/// </summary>
internal static class TiktokenFile
{
    private const int QwenExtras = 205;
    private const int HighestRank = 1 << 22;

    /// <summary>Whether a file's beginning looks like this format.</summary>
    public static bool IsOne(ReadOnlySpan<byte> beginning)
    {
        var line = beginning.IndexOf((byte)'\n') is >= 0 and var end ? beginning[..end] : beginning;
        return line.LastIndexOf((byte)' ') is > 0 and var space && TryRead(Encoding.UTF8.GetString(line), space, out _, out _);
    }

    public static TokenizerDescription Read(string path, TokenizerConfig config)
    {
        var tokens = new Dictionary<int, string>();
        foreach (var line in SourceReader.ReadLines(path).Where(line => line.Length > 0))
        {
            if (!TryRead(line, line.LastIndexOf(' '), out var bytes, out var rank))
                throw new WeftException($"the line '{(line.Length > 80 ? line[..80] + "…" : line)}' is no token in Base64 and its rank");
            if (!tokens.TryAdd(rank, ByteAlphabet.Spell(bytes)))
                throw new WeftException($"the rank {rank} is there twice");
        }

        if (tokens.Count == 0)
            throw new WeftException("this tiktoken file has no tokens");
        var all = new string?[tokens.Keys.Max() + 1];
        foreach (var (rank, token) in tokens)
            all[rank] = token;
        var qwen = config.Class is "QWenTokenizer" || Path.GetFileName(path) == "qwen.tiktoken";
        string[] specials = qwen ? ["<|endoftext|>", "<|im_start|>", "<|im_end|>", .. Enumerable.Range(0, QwenExtras).Select(i => $"<|extra_{i}|>")] : [];
        return new TokenizerDescription
        {
            AddedTokens = [.. config.AddedTokens, .. specials.Select((name, i) => new AddedToken { Id = all.Length + i, Content = name, Special = true })],
            PreTokenizers = [new() { Kind = PreTokenizerKind.Split, Pattern = Pattern(path, qwen) }],
            Model = new() { Tokens = all, ByteLevel = true, IgnoreMerges = true },
            Decoders = [new() { Kind = DecoderKind.ByteAlphabet }],
        };
    }

    private static string Pattern(string path, bool qwen) => Path.GetFileNameWithoutExtension(path) switch
    {
        _ when qwen => WordPatterns.Qwen,
        "gpt2" or "r50k_base" or "p50k_base" => WordPatterns.Gpt2,
        "cl100k_base" => WordPatterns.Cl100k,
        "o200k_base" => WordPatterns.O200k,
        _ => WordPatterns.Llama3, // which GLM-4 has too
    };

    private static bool TryRead(string line, int space, out byte[] bytes, out int rank)
    {
        bytes = new byte[Math.Max(space, 0)];
        rank = -1;
        if (space <= 0 || !System.Convert.TryFromBase64String(line[..space], bytes, out var length) || length == 0
            || !int.TryParse(line.AsSpan(space + 1).TrimEnd('\r'), NumberStyles.None, CultureInfo.InvariantCulture, out rank) || rank > HighestRank)
        {
            return false;
        }

        bytes = bytes[..length];
        return true;
    }
}

using System.Text.Json;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads the model of a tokenizer.json.</summary>
internal static class TokenModelJson
{
    private const int HighestId = 1 << 22;

    public static TokenModelDescription Read(JsonElement model)
    {
        switch (model.Type() ?? Guess(model))
        {
            case "BPE":
                return ReadBpe(model);
            case "Unigram":
                return ReadUnigram(model);
            case "WordPiece":
                return ReadWords(model) with
                {
                    Kind = TokenModelKind.WordPiece,
                    ContinuingPrefix = model.Optional("continuing_subword_prefix")?.GetString() ?? "##",
                    LongestWord = model.Optional("max_input_chars_per_word")?.GetInt32() ?? 100,
                };
            case "WordLevel":
                return ReadWords(model) with { Kind = TokenModelKind.WordLevel };
            case var type:
                throw TokenizerJson.Unsupported("tokenizer model", type, "BPE, Unigram, WordPiece, WordLevel");
        }
    }

    /// <summary>Tokens by id.</summary>
    public static string?[] ByIds(Dictionary<string, int> ids)
    {
        if (ids.Values.Any(id => id is < 0 or > HighestId))
            throw new WeftException("the tokenizer has a token with an id out of range");
        var tokens = new string?[ids.Count == 0 ? 0 : ids.Values.Max() + 1];
        foreach (var (token, id) in ids)
            tokens[id] = token;
        return tokens;
    }

    /// <summary>Ids of a list of merges; a merge is a pair, or both in one string with a space between them.</summary>
    public static List<int> PairIds(IEnumerable<(string Left, string Right)> merges, Dictionary<string, int> ids)
    {
        var pairs = new List<int>();
        foreach (var (left, right) in merges)
        {
            pairs.Add(Id(left));
            pairs.Add(Id(right));
        }

        return pairs;

        int Id(string token) => ids.TryGetValue(token, out var id)
            ? id
            : throw new WeftException($"the tokenizer merges '{token}', which is not in its vocabulary");
    }

    /// <summary>The two sides of a merge in one string.</summary>
    public static (string Left, string Right) Halves(string? merge)
    {
        var space = merge?.IndexOf(' ', StringComparison.Ordinal) ?? -1;
        return space >= 0
            ? (merge![..space], merge[(space + 1)..])
            : throw new WeftException($"the tokenizer's merge '{(merge?.Length > 80 ? merge[..80] + "…" : merge)}' is not a pair");
    }

    /// <summary>The vocabulary of an object from tokens to ids.</summary>
    public static Dictionary<string, int> ReadIds(JsonElement vocabulary)
    {
        var ids = new Dictionary<string, int>();
        foreach (var entry in vocabulary.EnumerateObject())
            ids[entry.Name] = entry.Value.GetInt32();
        return ids;
    }

    // Files of before 2021 leave the type out.
    private static string? Guess(JsonElement model) => model switch
    {
        _ when model.Optional("merges") is not null => "BPE",
        _ when model.Optional("vocab") is { ValueKind: JsonValueKind.Array } => "Unigram",
        _ when model.Optional("max_input_chars_per_word") is not null => "WordPiece",
        _ => null,
    };

    private static TokenModelDescription ReadBpe(JsonElement model)
    {
        var ids = ReadIds(model.GetProperty("vocab"));
        var merges = model.GetProperty("merges").EnumerateArray()
            .Select(merge => merge.ValueKind == JsonValueKind.Array ? (merge[0].GetString()!, merge[1].GetString()!) : Halves(merge.GetString()));
        return new()
        {
            Tokens = ByIds(ids),
            Merges = PairIds(merges, ids),
            ByteFallback = model.Flag("byte_fallback"),
            IgnoreMerges = model.Flag("ignore_merges"),
            Unknown = Unknown(model, ids),
            FuseUnknown = model.Flag("fuse_unk"),
            ContinuingPrefix = model.Text("continuing_subword_prefix"),
            WordSuffix = model.Text("end_of_word_suffix"),
        };
    }

    private static TokenModelDescription ReadUnigram(JsonElement model)
    {
        var vocabulary = model.GetProperty("vocab");
        var tokens = new List<string?>();
        var scores = new List<double>();
        foreach (var entry in vocabulary.EnumerateArray())
        {
            tokens.Add(entry[0].GetString());
            scores.Add(RustNumber.Read(entry[1]));
        }

        return new()
        {
            Kind = TokenModelKind.Unigram,
            Tokens = tokens,
            Scores = scores,
            ByteFallback = model.Flag("byte_fallback"),
            Unknown = model.Optional("unk_id")?.GetInt32(),
            FuseUnknown = true,
        };
    }

    private static TokenModelDescription ReadWords(JsonElement model)
    {
        var ids = ReadIds(model.GetProperty("vocab"));
        return new() { Tokens = ByIds(ids), Unknown = Unknown(model, ids) };
    }

    private static int? Unknown(JsonElement model, Dictionary<string, int> ids) =>
        model.Text("unk_token") is { } token && ids.TryGetValue(token, out var id) ? id : null;
}

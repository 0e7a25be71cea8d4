using System.Text.Json;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads the BPE model of a tokenizer.json.</summary>
internal static class BpeJson
{
    public static BpeDescription Read(JsonElement model, bool byteLevel)
    {
        // Files of before 2021 leave the type out; only BPE has merges.
        if ((model.Type() ?? (model.Optional("merges") is null ? null : "BPE")) is var type && type != "BPE")
            throw TokenizerJson.Unsupported("tokenizer model", type, "BPE");
        foreach (var affix in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (!string.IsNullOrEmpty(model.Optional(affix)?.GetString()))
                throw new WeftException($"the tokenizer's {affix} is not supported");
        }

        var ids = new Dictionary<string, int>();
        foreach (var entry in model.GetProperty("vocab").EnumerateObject())
            ids[entry.Name] = entry.Value.GetInt32();
        if (ids.Values.Any(id => id is < 0 or > 1 << 24))
            throw new WeftException("the tokenizer has a token with an id out of range");
        var tokens = new string?[ids.Count == 0 ? 0 : ids.Values.Max() + 1];
        foreach (var (token, id) in ids)
            tokens[id] = token;

        var unknown = model.Optional("unk_token")?.GetString();
        return new BpeDescription
        {
            Tokens = tokens,
            Merges = ReadMerges(model.GetProperty("merges"), ids),
            ByteLevel = byteLevel,
            ByteFallback = model.Flag("byte_fallback"),
            IgnoreMerges = model.Flag("ignore_merges"),
            Unknown = unknown is not null && ids.TryGetValue(unknown, out var unknownId) ? unknownId : null,
            FuseUnknown = model.Flag("fuse_unk"),
        };
    }

    private static List<int> ReadMerges(JsonElement merges, Dictionary<string, int> ids)
    {
        var pairs = new List<int>(2 * merges.GetArrayLength());
        foreach (var merge in merges.EnumerateArray())
        {
            string left, right;
            if (merge.ValueKind == JsonValueKind.Array)
            {
                (left, right) = (merge[0].GetString()!, merge[1].GetString()!);
            }
            else
            {
                // The older spelling: both in one string, with a space between them.
                var text = merge.GetString()!;
                var space = text.IndexOf(' ', StringComparison.Ordinal);
                if (space < 0)
                    throw new WeftException($"the tokenizer's merge '{text}' is not a pair");
                (left, right) = (text[..space], text[(space + 1)..]);
            }

            pairs.Add(Id(left));
            pairs.Add(Id(right));
        }

        return pairs;

        int Id(string token) => ids.TryGetValue(token, out var id)
            ? id
            : throw new WeftException($"the tokenizer merges '{token}', which is not in its vocabulary");
    }
}

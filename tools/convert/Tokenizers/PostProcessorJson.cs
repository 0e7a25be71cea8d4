using System.Text.Json;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads the post-processor of a tokenizer.json: what it puts around one text.</summary>
internal static class PostProcessorJson
{
    private const int MostAround = 1024;
    private const int MostParts = 1024;

    // Stands for the text among ids.
    private const int Text = -1;

    /// <summary>The ids before and after a text.</summary>
    /// <exception cref="WeftException">It does something else, or the text is not there once.</exception>
    public static (int[] Prefix, int[] Suffix) Read(JsonElement processor)
    {
        var all = Process(processor, [[Text]]).SelectMany(part => part).ToList();
        var texts = all.Count(id => id == Text);
        if (texts != 1)
            throw new WeftException($"the tokenizer's template has the text {texts} times, not once");
        var at = all.IndexOf(Text);
        return ([.. all[..at]], [.. all[(at + 1)..]]);
    }

    /// <summary>What becomes of a list of parts: every processor sees those that the one before it made, and takes the first for the text.</summary>
    private static List<List<int>> Process(JsonElement processor, List<List<int>> parts)
    {
        switch (processor.Type())
        {
            case "Sequence":
                foreach (var step in processor.GetProperty("processors").EnumerateArray())
                    parts = Process(step, parts);
                return parts;
            case "ByteLevel":
                return parts;
            case "BertProcessing":
                return Enclose(processor, parts, isTwice: false);
            case "RobertaProcessing":
                return Enclose(processor, parts, isTwice: true);
            case "TemplateProcessing":
                return Fill(processor, parts);
            case var type:
                throw TokenizerJson.Unsupported("post-processor", type, "Sequence, ByteLevel, BertProcessing, RobertaProcessing, TemplateProcessing");
        }
    }

    private static List<List<int>> Enclose(JsonElement processor, List<List<int>> parts, bool isTwice)
    {
        var (beginning, end) = (Id(processor.GetProperty("cls")[1]), Id(processor.GetProperty("sep")[1]));
        return [.. parts.Select((part, i) => Checked(i == 0 ? [beginning, .. part, end] : isTwice ? [end, .. part, end] : [.. part, end]))];
    }

    private static List<List<int>> Fill(JsonElement processor, List<List<int>> parts)
    {
        var tokens = processor.GetProperty("special_tokens");
        var template = parts.Count switch
        {
            1 => processor.GetProperty("single"),
            2 => processor.GetProperty("pair"),
            _ => throw new WeftException($"the tokenizer has a template for {parts.Count} parts"),
        };
        var filled = new List<List<int>>();
        foreach (var piece in template.EnumerateArray())
        {
            if (filled.Count == MostParts)
                throw new WeftException($"the tokenizer's template has more than {MostParts} parts");
            if (piece.Optional("SpecialToken") is { } token)
                filled.Add(Checked([.. tokens.GetProperty(token.GetProperty("id").GetString()!).GetProperty("ids").EnumerateArray().Select(Id)]));
            else
                filled.Add(Part(parts, piece.GetProperty("Sequence").GetProperty("id").GetString()));
        }

        return filled;
    }

    private static List<int> Part(List<List<int>> parts, string? name) =>
        (name == "A" ? 0 : 1) is var place && place < parts.Count ? parts[place] : throw new WeftException($"the tokenizer's template has a text {name}, which there is not");

    private static int Id(JsonElement element) => element.GetInt32() is >= 0 and var id ? id : throw new WeftException($"the tokenizer puts {element} around a text, which is no id");

    private static List<int> Checked(List<int> part) =>
        part.Count <= MostAround ? part : throw new WeftException($"the tokenizer puts {part.Count} tokens around a text; at most {MostAround} are possible");
}

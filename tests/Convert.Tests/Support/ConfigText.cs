using System.Text.Json.Nodes;
using Weft.Convert.Families;
using Weft.Models;

namespace Weft.Convert.Tests.Support;

/// <summary>Describes the model of a config.json that has what every family asks for, and the members of a test.</summary>
internal static class ConfigText
{
    /// <summary>V 320, C 64, F 96, H 4 and two layers, unless <paramref name="members"/> say otherwise.</summary>
    public static ModelDescription Describe(string architecture, string members = "{}")
    {
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray(architecture),
            ["vocab_size"] = 320,
            ["hidden_size"] = 64,
            ["intermediate_size"] = 96,
            ["num_attention_heads"] = 4,
            ["num_hidden_layers"] = 2,
        };
        foreach (var (name, value) in JsonNode.Parse(members)!.AsObject())
            config[name] = value?.DeepClone();
        return DescribeAlone(config);
    }

    /// <summary>The same of a whole config.</summary>
    public static ModelDescription DescribeAlone(JsonObject config)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch["config.json"], config.ToJsonString());
        // Where GLM has the tokens that its config does not name.
        File.WriteAllText(scratch["added_tokens.json"], """{"<|startofpiece|>": 1, "<|endofpiece|>": 2, "[MASK]": 3}""");
        var file = FamilyCatalog.OpenConfig(scratch.Root);
        return FamilyCatalog.Find(file).Family.Describe(file);
    }
}

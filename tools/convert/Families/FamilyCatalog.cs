using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Weft.Convert.Families;

/// <summary>All families, and the choice among them.</summary>
internal static partial class FamilyCatalog
{
    // Found, not listed: a family is one file.
    private static readonly Family[] Families =
    [
        .. typeof(Family).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(Family)) && !type.IsAbstract)
            .OrderBy(type => type.Name, StringComparer.Ordinal)
            .Select(type => (Family)Activator.CreateInstance(type)!),
    ];

    /// <summary>The families.</summary>
    public static IReadOnlyList<Family> All => Families;

    /// <summary>Every known format of prompts.</summary>
    public static IReadOnlyList<ChatFormat> ChatFormats { get; } = [.. Families.SelectMany(family => family.ChatFormats).DistinctBy(format => format.Name)];

    /// <summary>Every supported architecture name, in alphabetical order.</summary>
    public static IReadOnlyList<string> Architectures { get; } =
        [.. Families.SelectMany(family => family.Architectures).Distinct().Order(StringComparer.OrdinalIgnoreCase)];

    /// <summary>The config of the checkpoint in a folder.</summary>
    /// <exception cref="WeftException">It is missing or unreadable.</exception>
    public static ConfigFile OpenConfig(string folder)
    {
        var path = Path.Combine(folder, "config.json");
        if (!File.Exists(path) && Families.Select(family => family.ConfigOf(folder)).FirstOrDefault(text => text is not null) is { } released)
            return ConfigFile.Parse(path, released);
        return File.Exists(path) ? WithArchitecture(TextPart.Unwrap(ConfigFile.Open(path))) : throw new WeftException($"{folder}: there is no config.json, so this is not a checkpoint");
    }

    /// <summary>The family of a checkpoint and its architecture's name.</summary>
    /// <exception cref="WeftException">The config names none, or an unknown one.</exception>
    public static (Family Family, string Architecture) Find(ConfigFile config)
    {
        var names = config.Strings("architectures");
        foreach (var name in names)
        {
            if (Families.FirstOrDefault(family => family.Architectures.Contains(name) && family.Covers(config)) is { } family)
                return (family, name);
        }

        throw UnknownArchitecture.Explain(config, names.Count > 0 ? names[0] : null, Families);
    }

    /// <summary>The config with the architecture that it does not name, where something else in it does.</summary>
    private static ConfigFile WithArchitecture(ConfigFile config)
    {
        if (config.Has("architectures") && !config.IsEmpty("architectures"))
            return config;
        var found = Families.Where(family => family.Covers(config))
            .Select(family => family.Owns(config) ? family.Architectures[0] : family.Architectures.FirstOrDefault(name => IsOfType(name, config)))
            .OfType<string>().ToList();
        return found is [var only] ? config.With(("architectures", new JsonArray(only))) : config;
    }

    /// <summary>Whether an architecture is the one that transformers names after the config's model_type: "gpt_neox" and GPTNeoXForCausalLM.</summary>
    private static bool IsOfType(string architecture, ConfigFile config) =>
        config.Json("model_type") is { ValueKind: JsonValueKind.String } type
        && Punctuation().Replace(ClassSuffix().Replace(architecture, ""), "").Equals(Punctuation().Replace(type.GetString()!, ""), StringComparison.OrdinalIgnoreCase);

    [GeneratedRegex("_?(ForCausalLM|LMHeadModel|ForConditionalGeneration|Model)$")]
    private static partial Regex ClassSuffix();

    [GeneratedRegex("_text$|[-_]")]
    private static partial Regex Punctuation();
}

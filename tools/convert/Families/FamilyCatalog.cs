namespace Weft.Convert.Families;

/// <summary>All families, and the choice among them.</summary>
internal static class FamilyCatalog
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
        return File.Exists(path) ? ConfigFile.Open(path) : throw new WeftException($"{folder}: there is no config.json, so this is not a checkpoint");
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

        if (names.Count == 0)
            throw config.Error("there is no 'architectures', so the model's family is unknown");
        throw UnknownArchitecture.Explain(config, names[0], Families);
    }
}

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
        [.. Families.SelectMany(family => family.Architectures).Order(StringComparer.OrdinalIgnoreCase)];

    /// <summary>The family of a checkpoint and its architecture's name.</summary>
    /// <exception cref="WeftException">The config names none, or an unknown one.</exception>
    public static (Family Family, string Architecture) Find(ConfigFile config)
    {
        var names = config.Strings("architectures");
        foreach (var name in names)
        {
            if (Families.FirstOrDefault(family => family.Architectures.Contains(name)) is { } family)
                return (family, name);
        }

        if (names.Count == 0)
            throw config.Error("there is no 'architectures', so the model's family is unknown");
        throw UnknownArchitecture.Explain(config, names[0], Families);
    }
}

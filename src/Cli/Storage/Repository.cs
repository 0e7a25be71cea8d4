namespace Weft.Cli.Storage;

/// <summary>The source tree that this program was built in, if it runs from there.</summary>
internal static class Repository
{
    /// <summary>The folder that holds Runtime.sln, found by walking up from the program; null for a published copy elsewhere.</summary>
    public static string? Root { get; } = Find();

    /// <summary>Models that lie in <c>models/</c>: checkpoint folders and packed files.</summary>
    public static IReadOnlyList<string> Models()
    {
        var folder = Root is null ? null : Path.Combine(Root, "models");
        if (!Directory.Exists(folder))
            return [];
        return
        [
            .. Directory.EnumerateFileSystemEntries(folder)
                .Where(path => path.EndsWith(".weft", StringComparison.Ordinal) || File.Exists(Path.Combine(path, "config.json")))
                .Order(StringComparer.Ordinal),
        ];
    }

    private static string? Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Runtime.sln")))
                return folder.FullName;
        }

        return null;
    }
}

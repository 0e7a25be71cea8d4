namespace Weft.Interop.Libraries;

/// <summary>Finds a library file. Newer versions win over older ones, then places in the order of <see cref="SearchPlaces"/>.</summary>
internal sealed class LibraryFinder(SearchPlaces places, Func<string, bool> fileExists)
{
    /// <summary>This machine.</summary>
    public static LibraryFinder Machine { get; } = new(SearchPlaces.Machine, File.Exists);

    /// <summary>Full path, or null.</summary>
    public string? Find(NativeLibraryName library)
    {
        var folders = places.Folders(library).ToList();
        return library.FileNames
            .SelectMany(name => folders.Select(folder => Path.Combine(folder, name)))
            .FirstOrDefault(fileExists);
    }

    /// <summary>The software device: named by WEFT_SIMULATOR, beside the program, or built in the repository that the program lies in.</summary>
    public static string? FindSimulator()
    {
        if (Environment.GetEnvironmentVariable("WEFT_SIMULATOR") is { Length: > 0 } named)
            return File.Exists(named) ? Path.GetFullPath(named) : null;
        const string Name = "libcudasim.so";
        var beside = Path.Combine(AppContext.BaseDirectory, Name);
        if (File.Exists(beside))
            return beside;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var built = Path.Combine(folder.FullName, "artifacts", "simulator", Name);
            if (File.Exists(built))
                return built;
        }

        return null;
    }
}

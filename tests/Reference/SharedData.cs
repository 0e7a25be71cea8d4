namespace Weft.Reference;

/// <summary>Finds the repository and the folder <c>shared</c> beside it, which holds reference checkpoints.</summary>
public static class SharedData
{
    /// <summary>The folder that holds Runtime.sln.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>The file or folder at <paramref name="relativePath"/> of the shared data, or null when it is not there.</summary>
    public static string? TryFind(string relativePath)
    {
        var root = Environment.GetEnvironmentVariable("WEFT_SHARED") ?? Path.Combine(Repository, "..", "shared");
        var path = Path.GetFullPath(Path.Combine(root, relativePath));
        return Path.Exists(path) ? path : null;
    }

    private static string FindRepository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Runtime.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException($"no folder above {AppContext.BaseDirectory} holds Runtime.sln");
    }
}

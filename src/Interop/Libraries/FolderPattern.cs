namespace Weft.Interop.Libraries;

/// <summary>Paths with <c>*</c> in their parts.</summary>
internal static class FolderPattern
{
    /// <summary>Existing folders that match, the highest name first: newer versions before older ones.</summary>
    public static IEnumerable<string> Expand(string pattern)
    {
        IEnumerable<string> found = [Path.GetPathRoot(pattern) ?? ""];
        foreach (var part in pattern.Split('/', StringSplitOptions.RemoveEmptyEntries).Skip(OperatingSystem.IsWindows() && Path.IsPathRooted(pattern) ? 1 : 0))
            found = part.Contains('*', StringComparison.Ordinal) ? found.SelectMany(folder => Matches(folder, part)) : found.Select(folder => Path.Combine(folder, part));
        return found.Where(Directory.Exists);
    }

    private static IEnumerable<string> Matches(string folder, string part)
    {
        try
        {
            return Directory.Exists(folder) ? Directory.GetDirectories(folder, part).OrderByDescending(path => path, StringComparer.Ordinal) : [];
        }
        catch (UnauthorizedAccessException)
        {
            return [];
        }
    }
}

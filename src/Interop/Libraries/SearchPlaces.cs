namespace Weft.Interop.Libraries;

/// <summary>
/// Folders where drivers, toolkits, Debian, conda and pip put CUDA's libraries, in the order in which they are tried: what the user named
/// first, then toolkits, then packages, then the system.
/// </summary>
/// <param name="variable">Environment variables.</param>
/// <param name="folders">Folders that match a path with <c>*</c> in its parts.</param>
internal sealed class SearchPlaces(Func<string, string?> variable, Func<string, IEnumerable<string>> folders)
{
    private static readonly string[] Toolkits = ["CUDA_HOME", "CUDA_PATH"];

    /// <summary>This machine.</summary>
    public static SearchPlaces Machine { get; } = new(Environment.GetEnvironmentVariable, FolderPattern.Expand);

    /// <summary>Existing folders that may hold <paramref name="library"/>.</summary>
    public IEnumerable<string> Folders(NativeLibraryName library) =>
        Patterns(library).SelectMany(folders).Distinct(StringComparer.Ordinal);

    private IEnumerable<string> Patterns(NativeLibraryName library)
    {
        if (library == NativeLibraryName.Driver)
        {
            return ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib/x86_64-linux-gnu/nvidia/current", "/usr/lib/wsl/lib"];
        }

        return ToolkitPatterns().Concat(PackagePatterns()).Concat(["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]);
    }

    private IEnumerable<string> ToolkitPatterns()
    {
        foreach (var home in Toolkits.Select(variable).OfType<string>().Where(home => home.Length > 0))
        {
            yield return $"{home}/lib64";
            yield return $"{home}/lib";
            yield return $"{home}/targets/*/lib";
            yield return $"{home}/bin";
            yield return $"{home}/bin/x64";
        }

        yield return "/usr/local/cuda/lib64";
        yield return "/usr/local/cuda-*/lib64";
        yield return "/opt/cuda/lib64";
    }

    private IEnumerable<string> PackagePatterns()
    {
        if (variable("CONDA_PREFIX") is { Length: > 0 } conda)
        {
            yield return $"{conda}/lib";
            yield return $"{conda}/targets/*/lib";
        }

        string?[] pythons = [variable("VIRTUAL_ENV"), variable("CONDA_PREFIX"), "/usr", "/usr/local", Home(".local"), Home(".pyenv/versions/*"), "/opt/*"];
        foreach (var python in pythons.OfType<string>().Where(python => python.Length > 0))
        {
            foreach (var packages in (string[])["site-packages", "dist-packages"])
            {
                yield return $"{python}/lib/python3*/{packages}/nvidia/*/lib";
                yield return $"{python}/Lib/{packages}/nvidia/*/bin";
            }
        }
    }

    private string? Home(string path) => variable("HOME") is { Length: > 0 } home ? $"{home}/{path}" : null;
}

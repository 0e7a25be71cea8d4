namespace Weft.Backends.Cuda.Compilation;

/// <summary>
/// Compiled kernels on disk, one file a key. Files are written under a temporary name and renamed, so that processes may share a folder;
/// one that is damaged counts as missing and is replaced. A folder that cannot be written only costs the next start its time.
/// </summary>
internal sealed class CubinCache(string folder)
{
    private const long MostBytes = 512L << 20;
    private const string Extension = ".cubin";

    /// <summary>Beside the packed models: <c>$XDG_CACHE_HOME/weft/cubins</c>.</summary>
    public static CubinCache Default { get; } = new(Path.Combine(CacheHome(), "weft", "cubins"));

    /// <summary>The entry under <paramref name="key"/>, or null.</summary>
    public CompiledKernels? Find(string key)
    {
        try
        {
            var path = PathOf(key);
            return File.Exists(path) ? CompiledKernels.Deserialize(File.ReadAllBytes(path)) : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Stores an entry; oldest entries go when all together pass 512 MB.</summary>
    public void Store(string key, CompiledKernels kernels)
    {
        var path = PathOf(key);
        var temporary = $"{path}.{Environment.ProcessId}.{Guid.NewGuid():N}.tmp";
        try
        {
            Directory.CreateDirectory(folder);
            File.WriteAllBytes(temporary, kernels.Serialize());
            File.Move(temporary, path, overwrite: true);
            Trim();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            DeleteQuietly(temporary);
        }
    }

    private static string CacheHome()
    {
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } home)
            return home;
        return OperatingSystem.IsWindows()
            ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
    }

    private static void DeleteQuietly(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Another process has it, or the disk is read-only: it stays.
        }
    }

    private void Trim()
    {
        var files = new DirectoryInfo(folder).GetFiles("*" + Extension);
        var total = files.Sum(file => file.Length);
        foreach (var file in files.OrderBy(file => file.LastWriteTimeUtc).TakeWhile(_ => total > MostBytes))
        {
            total -= file.Length;
            DeleteQuietly(file.FullName);
        }
    }

    private string PathOf(string key) => Path.Combine(folder, key + Extension);
}

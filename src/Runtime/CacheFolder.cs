namespace Weft;

/// <summary>Where Weft keeps what it can make again: converted checkpoints, compiled kernels.</summary>
public static class CacheFolder
{
    /// <summary><c>$XDG_CACHE_HOME/weft</c>, else <c>~/.cache/weft</c>; it need not exist.</summary>
    public static string Root
    {
        get
        {
            var root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            // The specification says that a relative path here is to be ignored.
            return Path.IsPathRooted(root)
                ? Path.Combine(root, "weft")
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "weft");
        }
    }
}

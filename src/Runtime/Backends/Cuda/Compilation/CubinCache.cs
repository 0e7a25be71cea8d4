using System.Text;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>
/// Compiled kernels on disk, one file per compilation. Any number of processes may use one folder: an entry is written under a temporary
/// name and renamed, so that a reader sees a whole entry or none, and two writers of one key write the same. Nothing here fails a
/// run: what cannot be read is compiled, what cannot be written is compiled again next time.
/// </summary>
internal sealed class CubinCache
{
    private const string EntryExtension = ".cubin";
    private const string TemporaryExtension = ".tmp";
    private const string CompilerFile = "compiler";
    private const long DefaultLimit = 512L << 20;

    /// <summary>A temporary file older than this belongs to a process that died.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    private readonly long limit;
    private readonly Action<string>? note;
    private int noted;

    /// <summary>A cache in <paramref name="folder"/>, which need not exist yet.</summary>
    /// <param name="folder">The folder, used for nothing else.</param>
    /// <param name="limit">Bytes of entries to keep; the least recently used go first.</param>
    /// <param name="note">Is told once, in a sentence, when the folder cannot be written.</param>
    public CubinCache(string folder, long limit = DefaultLimit, Action<string>? note = null)
    {
        Folder = Path.GetFullPath(folder);
        this.limit = limit;
        this.note = note;
    }

    /// <summary>Beside the packed models.</summary>
    public static CubinCache Default { get; } = new(Path.Combine(CacheFolder.Root, "cubins"));

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>
    /// The compiler to look entries up for: <paramref name="installed"/>, or where there is none, the one that last wrote here, so that a
    /// full cache does without. Null where neither is known.
    /// </summary>
    public string? Compiler(string? installed)
    {
        if (installed is not null)
            return installed;
        try
        {
            var path = Path.Combine(Folder, CompilerFile);
            return File.Exists(path) ? File.ReadAllText(path) : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The entry of <paramref name="key"/>, or null when there is no good one.</summary>
    public CompiledKernels? Find(CubinKey key)
    {
        var path = PathOf(key);
        try
        {
            var compiled = File.Exists(path) ? CubinEntry.TryRead(key, File.ReadAllBytes(path)) : null;
            if (compiled is not null)
                Touch(path);
            return compiled;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps what <paramref name="compiler"/> made under <paramref name="key"/>, replacing what is there.</summary>
    public void Store(CubinKey key, CompiledKernels compiled, string compiler)
    {
        if (!TryWrite(PathOf(key), CubinEntry.Write(key, compiled)))
            return;
        if (Compiler(null) != compiler)
            TryWrite(Path.Combine(Folder, CompilerFile), Encoding.UTF8.GetBytes(compiler));
        try
        {
            RemoveOldest(PathOf(key));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Note($"old entries of '{Folder}' cannot be removed ({failure.Message})");
        }
    }

    /// <summary>Writes a whole file or nothing; false, and a note, where that cannot be done.</summary>
    private bool TryWrite(string path, byte[] bytes)
    {
        var temporary = $"{path}.{Environment.ProcessId}.{Path.GetRandomFileName()}{TemporaryExtension}";
        try
        {
            Directory.CreateDirectory(Folder);
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, path, overwrite: true);
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            TryDelete(temporary);
            Note($"compiled kernels cannot be kept in '{Folder}' and will be compiled again next time ({failure.Message})");
            return false;
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // It costs space and nothing else; RemoveOldest takes it later.
            return;
        }
    }

    /// <summary>Marks an entry as used, for <see cref="RemoveOldest"/>; in a folder that cannot be written nothing is removed either.</summary>
    private static void Touch(string path)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return;
        }
    }

    private string PathOf(CubinKey key) => Path.Combine(Folder, key.Name + EntryExtension);

    private void RemoveOldest(string newest)
    {
        var files = new DirectoryInfo(Folder).GetFiles();
        foreach (var file in files.Where(f => f.Extension == TemporaryExtension && DateTime.UtcNow - f.LastWriteTimeUtc > Abandoned))
            TryDelete(file.FullName);
        // Another process may remove the same ones at the same time.
        var entries = files.Where(file => file.Extension == EntryExtension && file.Exists).OrderBy(file => file.LastWriteTimeUtc).ToList();
        var total = entries.Sum(file => file.Length);
        foreach (var entry in entries.Where(file => file.FullName != newest))
        {
            if (total <= limit)
                return;
            TryDelete(entry.FullName);
            total -= entry.Length;
        }
    }

    private void Note(string sentence)
    {
        if (Interlocked.Exchange(ref noted, 1) == 0)
            note?.Invoke(sentence);
    }
}

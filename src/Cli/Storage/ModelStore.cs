using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Weft.Cli.Storage;

/// <summary>
/// Finds the packed file of a model. A checkpoint, a folder or a GGUF file, is converted once into the cache folder, under a name that
/// changes with its path, with name, size and time of each of its files, and with the converter.
/// </summary>
internal static class ModelStore
{
    /// <summary>Where converted checkpoints are kept.</summary>
    public static string CacheFolder => Weft.CacheFolder.Root;

    /// <summary>Returns the packed file of <paramref name="model"/>, converting a checkpoint if that has not been done.</summary>
    /// <exception cref="WeftException">There is no such model, or it cannot be converted.</exception>
    /// <exception cref="OperationCanceledException">Ctrl-C while converting; nothing is left behind.</exception>
    public static string Resolve(string model, Session session)
    {
        if (!File.Exists(model) && !Directory.Exists(model))
            throw new WeftException($"there is no file or folder '{model}'");
        if (!Checkpoint.IsOne(model))
            return File.Exists(model) ? model : throw new WeftException($"'{model}' is not a checkpoint folder: it has no config.json");

        var source = Path.TrimEndingDirectorySeparator(Path.GetFullPath(model));
        var name = Path.GetFileName(source);
        var place = Hash(Encoding.UTF8.GetBytes(source));
        var packed = Path.Combine(CacheFolder, $"{name}-{place}-{Fingerprint(source)}.weft");
        if (File.Exists(packed))
            return packed;

        CreateCacheFolder();
        session.Terminal.Note($"converting {model} into {packed} (once)");
        foreach (var warning in Checkpoint.Convert(source, packed, session.Cancellation))
            session.Terminal.Note(warning);
        DeleteOthers(packed, $"{name}-{place}-*.weft");
        return packed;
    }

    private static void CreateCacheFolder()
    {
        try
        {
            Directory.CreateDirectory(CacheFolder);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"the cache folder '{CacheFolder}' cannot be created (set XDG_CACHE_HOME to another place)", failure);
        }
    }

    /// <summary>Changes whenever a conversion might come out differently.</summary>
    private static string Fingerprint(string source)
    {
        var state = new StringBuilder();
        state.Append(CultureInfo.InvariantCulture, $"{Checkpoint.ConverterIdentity}\n");
        // A link stands for the file that it leads to, which may change without it.
        foreach (var (file, target) in Checkpoint.Files(source).Select(file => (file, file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo { Exists: true } target ? target : file)))
            state.Append(CultureInfo.InvariantCulture, $"{file.Name}\n{target.Length} {target.LastWriteTimeUtc.Ticks}\n");
        return Hash(Encoding.UTF8.GetBytes(state.ToString()));
    }

    private static string Hash(byte[] bytes) =>
        BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(bytes)).ToString("x16", CultureInfo.InvariantCulture);

    /// <summary>Removes conversions of earlier states of the same checkpoint; one that another process holds open stays readable to it.</summary>
    private static void DeleteOthers(string packed, string pattern)
    {
        foreach (var file in Directory.EnumerateFiles(CacheFolder, pattern).Where(f => f != packed))
        {
            try
            {
                File.Delete(file);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                // Left for the next conversion: a stale file costs space and nothing else.
                continue;
            }
        }
    }
}

using Weft.Convert;

namespace Weft.Cli.Storage;

/// <summary>Converts checkpoints through tools/convert.</summary>
internal static class Checkpoint
{
    /// <summary>Changes with the code that converts and with the format it writes.</summary>
    public static string ConverterIdentity { get; } =
        $"{typeof(Model).Module.ModuleVersionId} {typeof(Converter).Module.ModuleVersionId}";

    /// <summary>How the names of files end that are checkpoints by themselves.</summary>
    public const string FileEnd = ".gguf";

    /// <summary>Whether there is one, and not a packed model.</summary>
    public static bool IsOne(string path) => Converter.IsCheckpoint(path);

    /// <summary>Every file that it is made of, or may be.</summary>
    public static IEnumerable<FileInfo> Files(string path) => Converter.Beside(path).Prepend(path)
        .SelectMany(place => Directory.Exists(place) ? new DirectoryInfo(place).EnumerateFiles().OrderBy(file => file.Name, StringComparer.Ordinal) : (IEnumerable<FileInfo>)[new(place)]);

    /// <summary>Converts a checkpoint, a folder or a file, into the file <paramref name="packed"/>, which appears whole or not at all.</summary>
    /// <returns>What to look after, a sentence each.</returns>
    public static IReadOnlyList<string> Convert(string source, string packed, CancellationToken cancellation) =>
        Converter.Convert(new ConversionOptions(source, packed), null, cancellation).Warnings;
}

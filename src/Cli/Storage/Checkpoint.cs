using Weft.Convert;

namespace Weft.Cli.Storage;

/// <summary>Converts checkpoints through tools/convert.</summary>
internal static class Checkpoint
{
    /// <summary>Changes with the code that converts and with the format it writes.</summary>
    public static string ConverterIdentity { get; } =
        $"{typeof(Model).Module.ModuleVersionId} {typeof(Converter).Module.ModuleVersionId}";

    /// <summary>Converts the checkpoint in <paramref name="folder"/> into the file <paramref name="packed"/>, which appears whole or not at all.</summary>
    public static void Convert(string folder, string packed, CancellationToken cancellation) =>
        Converter.Convert(new ConversionOptions(folder, packed), null, cancellation);
}

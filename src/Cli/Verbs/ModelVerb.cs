using CommandLine;

namespace Weft.Cli.Verbs;

/// <summary>What every verb that reads a model accepts.</summary>
internal abstract class ModelVerb
{
    /// <summary>Path of a packed file, a checkpoint folder or a GGUF file.</summary>
    [Value(0, MetaName = "MODEL", Required = true, HelpText = "A .weft file, or a checkpoint: a folder, an adapter's folder or a GGUF file (converted once into the cache folder).")]
    public string Model { get; set; } = "";
}

using CommandLine;

namespace Weft.Cli.Verbs;

/// <summary>What every verb that reads a model accepts.</summary>
internal abstract class ModelVerb
{
    /// <summary>Path of a packed file or of a checkpoint folder.</summary>
    [Value(0, MetaName = "MODEL", Required = true, HelpText = "A .weft file, or a checkpoint folder (converted once into the cache folder).")]
    public string Model { get; set; } = "";
}

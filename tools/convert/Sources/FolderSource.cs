using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Quantization;
using Weft.Convert.Tokenizers;
using Weft.Tokenizers;

namespace Weft.Convert.Sources;

/// <summary>A checkpoint's folder, as Hugging Face's libraries and the tools beside them write it.</summary>
internal sealed class FolderSource : CheckpointSource
{
    private readonly string folder;

    /// <summary>Reads the config.</summary>
    public FolderSource(string folder)
    {
        this.folder = folder;
        Config = FamilyCatalog.OpenConfig(folder);
        (Family, Architecture) = FamilyCatalog.Find(Config);
    }

    /// <summary>The same, taken for one of a family.</summary>
    public FolderSource(string folder, Family family)
    {
        this.folder = folder;
        (Config, Family, Architecture) = (FamilyCatalog.OpenConfig(folder), family, family.Architectures[0]);
    }

    /// <inheritdoc/>
    public override ConfigFile Config { get; }

    /// <inheritdoc/>
    public override Family Family { get; }

    /// <inheritdoc/>
    public override string Architecture { get; }

    /// <inheritdoc/>
    public override QuantizationConfig? Quantization => QuantizationConfig.Read(Config, folder);

    /// <inheritdoc/>
    public override Checkpoint OpenWeights()
    {
        var checkpoint = TextPart.IsIn(Config) ? TextPart.Unwrap(Checkpoint.Open(folder)) : Checkpoint.Open(folder);
        QuantizationConfig.RequireCodes(Config, folder, checkpoint);
        return FourBitWeights.Attach(Float8Weights.Attach(checkpoint, Config));
    }

    /// <inheritdoc/>
    public override CheckpointSettings ReadSettings(int vocabulary) => CheckpointSettings.Read(folder, vocabulary);

    /// <inheritdoc/>
    public override TokenizerDescription? ReadTokenizer() => TokenizerReader.Read(folder);
}

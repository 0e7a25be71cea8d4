using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Quantization;
using Weft.Models;
using Weft.Tokenizers;

namespace Weft.Convert.Sources;

/// <summary>A checkpoint as it comes: a folder, an adapter's folder beside it, or a GGUF file. Each part is read when it is asked for, so that the first thing that is wrong is what is said.</summary>
internal abstract class CheckpointSource
{
    /// <summary>What the model is, as config.json has it.</summary>
    public abstract ConfigFile Config { get; }

    /// <summary>Which family it is of.</summary>
    public abstract Family Family { get; }

    /// <summary>Its architecture's name.</summary>
    public abstract string Architecture { get; }

    /// <summary>How its matrices are quantized where they stay so; null where they are read as numbers.</summary>
    public abstract QuantizationConfig? Quantization { get; }

    /// <summary>The model in building blocks.</summary>
    /// <exception cref="WeftException">The config lacks something, or asks for something unsupported.</exception>
    public virtual ModelDescription Describe() => Family.Describe(Config);

    /// <summary>What a packed tensor is made of that the family knows nothing of; null for one that it knows. Asked for when the weights are open.</summary>
    /// <exception cref="WeftException">It does not go with the model.</exception>
    public virtual TensorSource? SourceOf(TensorRequirement requirement, ModelDescription model) => null;

    /// <summary>Opens a checkpoint.</summary>
    /// <exception cref="WeftException">It is none, or its family is not known.</exception>
    public static CheckpointSource Open(string path)
    {
        if (Directory.Exists(path))
            return AdapterSource.IsOne(path) ? AdapterSource.OpenAdapter(path) : new FolderSource(path);
        if (!File.Exists(path))
            throw new WeftException($"{path}: there is no such folder or file");
        return GgufSource.IsOne(path) ? new GgufSource(path) : throw new WeftException($"{path}: this is no GGUF file; give one, or the folder of a checkpoint");
    }

    /// <summary>Finds the weights.</summary>
    /// <exception cref="WeftException">There are none, or they are damaged.</exception>
    public abstract Checkpoint OpenWeights();

    /// <summary>Reads special tokens, recommended sampling and chat templates.</summary>
    /// <param name="vocabulary">V: there is no token beyond.</param>
    /// <exception cref="WeftException">They are damaged, or contradict the vocabulary.</exception>
    public abstract CheckpointSettings ReadSettings(int vocabulary);

    /// <summary>Reads the tokenizer, or null where there is none.</summary>
    /// <exception cref="WeftException">It is damaged or asks for something unsupported.</exception>
    public abstract TokenizerDescription? ReadTokenizer();
}

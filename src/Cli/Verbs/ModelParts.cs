using Weft.Tokenizers;
using Weft.Weights;

namespace Weft.Cli.Verbs;

/// <summary>Parts of a model that a verb cannot do without.</summary>
internal static class ModelParts
{
    /// <summary>The tokenizer of a loaded model.</summary>
    /// <exception cref="WeftException">It has none.</exception>
    public static Tokenizer TokenizerOf(Model model, string name) => model.Tokenizer ?? throw Missing(name);

    /// <summary>The tokenizer in a header.</summary>
    /// <exception cref="WeftException">There is none.</exception>
    public static Tokenizer TokenizerOf(WeftHeader header, string name) => Tokenizer.Create(header.Tokenizer ?? throw Missing(name));

    private static WeftException Missing(string name) =>
        new($"'{name}' has no tokenizer: its checkpoint has neither tokenizer.json nor tokenizer.model");
}

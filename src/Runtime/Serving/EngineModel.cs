using Weft.Backends;
using Weft.KvCache;
using Weft.Models;
using Weft.Scheduling;
using Weft.Tokenizers;

namespace Weft.Serving;

/// <summary>What an engine needs of a model.</summary>
/// <param name="Program">Computes steps.</param>
/// <param name="Blocks">Its cache blocks, all free.</param>
/// <param name="Limits">Sizes of a step.</param>
/// <param name="ContextLength">Longest sequence; the blocks are enough for one.</param>
/// <param name="VocabularySize">V.</param>
/// <param name="EosTokens">Tokens that end a generation.</param>
/// <param name="FinalNorm">Between the hidden states and the head; null for none.</param>
/// <param name="Tokenizer">Makes text of tokens; null for none.</param>
/// <param name="States">Slots of its states, all free; null for a model without recurrent blocks.</param>
internal sealed record EngineModel(
    StepProgram Program, BlockPool Blocks, StepLimits Limits, int ContextLength, int VocabularySize, IReadOnlyList<int> EosTokens, HiddenNorm? FinalNorm, Tokenizer? Tokenizer, StatePool? States = null)
{
    /// <summary>Which tokens of a prompt see each other; null for none.</summary>
    public PrefixDescription? Prefix { get; init; }

    /// <summary>Tokens of the model's own that every sequence begins with, beside those of the context length.</summary>
    public int VirtualTokens { get; init; }

    /// <summary>What reads the prompt of a request as its source; null where it is continued.</summary>
    public EncoderDescription? Encoder { get; init; }

    /// <summary>What keys depend on beside tokens; null where that is nothing.</summary>
    public LengthOfKeys? Keys { get; init; }

    /// <summary>The table of a new sequence.</summary>
    public BlockTable CreateTable() => new(Blocks, ContextLength + VirtualTokens, States);
}

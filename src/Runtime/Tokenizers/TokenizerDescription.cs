namespace Weft.Tokenizers;

/// <summary>A tokenizer as the packed file's header carries it.</summary>
public sealed record TokenizerDescription
{
}

using Weft.Convert.Checkpoints;

namespace Weft.Convert.Families;

/// <summary>How the models of a family look in GGUF files, as llama.cpp's converter writes them.</summary>
/// <param name="Architecture">llama.cpp's name: general.architecture, before which most keys have it as well.</param>
internal sealed record GgufForm(string Architecture)
{
    /// <summary>Whether a file of this architecture is of this family, where families share it.</summary>
    public Func<GgufFile, bool> Covers { get; init; } = _ => true;

    /// <summary>Members of the family's config beside those of LLaMA, and the keys that they have after the architecture's name. A zero there means nothing here.</summary>
    public IReadOnlyList<(string Member, string Key)> Members { get; init; } = [];

    /// <summary>Members that no key says.</summary>
    public Func<GgufFile, IReadOnlyList<(string Member, object Value)>> Constants { get; init; } = _ => [];

    /// <summary>Rows of queries and keys are in the order in which neighbours (2i, 2i + 1) turn, not halves.</summary>
    public bool TurnsPairs { get; init; }

    /// <summary>Norms are stored as 1 + w.</summary>
    public bool AddsOneToNorms { get; init; }
}

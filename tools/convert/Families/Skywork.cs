using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Skywork 13B: LLaMA, of which longer contexts may have a larger base (Wei et al. 2023, arXiv 2310.19341).</summary>
internal sealed class Skywork : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["SkyworkForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Skywork 13B (arXiv 2310.19341)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) =>
        Describe(config, new(ContextLength: 4096, KeyValueHeads: null) { Rotary = Rotary(config) }, inputBias: false, outputBias: false, _ => null);

    /// <summary>The release's kind of scaling, a factor on the base; null for those of all families.</summary>
    private static RotaryDescription? Rotary(ConfigFile config) => RotaryConfig.Parameters(config) is { } parameters && RotaryConfig.Kind(parameters) == "ntk"
        ? new() { Theta = parameters.Double("factor") * config.Double("rope_theta", 10000) }
        : null;
}

using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Falcon Mamba: Mamba with norms without weights of steps, B and C (Zuo et al. 2024, arXiv 2410.05355).</summary>
internal sealed class FalconMamba : SelectiveLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["FalconMambaForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Falcon Mamba 7B (arXiv 2410.05355)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) =>
        Describe(config, inputNorm: new() { Kind = NormKind.Rms, Epsilon = (float)config.Double("mixer_rms_eps", 1e-6) });

    /// <summary>The norms have weights here for what the layout scales down.</summary>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => InLayer(requirement.Name) switch
    {
        "state_space.b_norm.weight" or "state_space.step_norm.weight" => Constant(requirement, 1),
        "state_space.c_norm.weight" => Constant(requirement, 1 / Headroom),
        _ => base.Source(requirement, model, shelf),
    };

    private static TensorSource Constant(TensorRequirement requirement, float value) =>
        new([]) { Transform = _ => [.. Enumerable.Repeat(value, requirement.Shape[0])] };
}

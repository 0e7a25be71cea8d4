using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Phi-1, 1.5 and 2 as Microsoft's own code has them from the end of 2023 on, under transformers' name: queries, keys and values are one matrix.</summary>
internal sealed class PhiMsft : PhiLayout
{
    private const string Layer = "transformer.h.#.";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["PhiForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Phi-1, 1.5 and 2 in Microsoft's layout (releases, 2023)", "byte-level BPE");

    /// <inheritdoc/>
    public override bool Covers(ConfigFile config) => IsRelease(config);

    /// <inheritdoc/>
    protected override string HeadModule => "lm_head.linear";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.embd.wte",
        ["attention_norm"] = Layer + "ln",
        ["attention.query"] = Layer + "mixer.Wqkv",
        ["attention.key"] = Layer + "mixer.Wqkv",
        ["attention.value"] = Layer + "mixer.Wqkv",
        ["attention.output"] = Layer + "mixer.out_proj",
        ["feed_forward.up"] = Layer + "mlp.fc1",
        ["feed_forward.down"] = Layer + "mlp.fc2",
        ["final_norm"] = "lm_head.ln",
    };

    /// <summary>Whether a config is spelled as in Microsoft's code.</summary>
    internal static bool IsRelease(ConfigFile config) => config.Json("model_type") is { ValueKind: System.Text.Json.JsonValueKind.String } type && type.ValueEquals("phi-msft");

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromFused(requirement, model, shelf, InSequence);
}

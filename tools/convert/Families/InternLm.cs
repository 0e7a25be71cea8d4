using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>InternLM 1: LLaMA's layout with biases on all four attention projections (InternLM release, 2023).</summary>
internal sealed class InternLm : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["InternLMForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("InternLM 7B (release, 2023)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // The release's modeling_internlm.py; what is said first is of InternLM's lagent. Base and chat models have the same files.
        new("internlm", """
            {%- for m in messages %}
            {%- if m.role == 'system' %}{{ '<|System|>:' ~ m.content ~ '\n' }}
            {%- elif m.role == 'user' %}{{ (bos_token if not loop.last or loop.length < 3 else '') ~ '<|User|>:' ~ m.content ~ '<eoh>\n' }}
            {%- elif m.role == 'assistant' %}{{ '<|Bot|>:' ~ m.content ~ '<eoa>\n' }}{% endif %}
            {%- endfor %}
            {%- if add_generation_prompt %}{{ '<|Bot|>:' }}{% endif %}
            """) { SpecialTokens = false, StopTokens = ["<eoa>"], Roles = ChatRoles.SystemAnywhere },
    ];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("bias", true);
        return Describe(config, new(ContextLength: 2048, KeyValueHeads: null, RotaryBase(config)), bias, bias, _ => null);
    }

    /// <summary>The family's own spelling of rope_theta. Its 'dynamic' kind changes nothing within the trained context.</summary>
    private static double RotaryBase(ConfigFile config)
    {
        const double Usual = 10000;
        if (config.Object("rotary") is not { } rotary)
            return Usual;
        return rotary.String("type") is null or "origin" or "dynamic"
            ? rotary.Double("base", Usual)
            : throw rotary.Error($"the rotary embedding '{rotary.String("type")}' is not supported; supported are origin, dynamic");
    }
}

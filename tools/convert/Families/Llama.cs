using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// LLaMA, Llama 2 and 3, and what keeps their layout: TinyLlama, OpenLLaMA, Alpaca, Vicuna, Yi, SOLAR, DeepSeek Coder and LLM, …
/// (Touvron et al. 2023, arXiv 2302.13971 and 2307.09288).
/// </summary>
internal sealed class Llama : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["LlamaForCausalLM", "LLaMAForCausalLM", "AquilaForCausalLM", "AquilaModel", "XverseForCausalLM"];

    /// <inheritdoc/>
    public override bool IsOrigin => true;

    /// <inheritdoc/>
    public override FamilyCard Card => new(
        "LLaMA (arXiv 2302.13971), Llama 2 (arXiv 2307.09288), Llama 3 (arXiv 2407.21783), Code Llama (arXiv 2308.12950), " +
        "TinyLlama (arXiv 2401.02385), OpenLLaMA, Alpaca, Vicuna, Koala, BELLE, WizardLM (arXiv 2304.12244), Linly, OpenBuddy, Panda, " +
        "Taiwan-LLaMA, XGen (arXiv 2309.03450), Yi (arXiv 2403.04652), SOLAR (arXiv 2312.15166), " +
        "DeepSeek LLM (arXiv 2401.02954) and Coder (arXiv 2401.14196), Aquila, Aquila 2 (arXiv 2408.07410), XVERSE (releases, 2023)",
        "SentencePiece BPE; byte-level BPE (Llama 3, DeepSeek, XGen, Aquila)");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // The generation.py of the releases of Llama 2 and Code Llama.
        new("llama-2", """
            {% if messages[0].role == 'system' %}{% set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}{% set rest = messages[1:] %}
            {%- else %}{% set system = '' %}{% set rest = messages %}{% endif %}
            {%- for m in rest %}
            {%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}
            {%- if m.role == 'user' %}{{ bos_token + '[INST] ' + (system if loop.first else '') + m.content.strip() + ' [/INST]' }}
            {%- else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}
            {%- endfor %}
            """) { SpecialTokens = false },
        // Stanford Alpaca's train.py, which goes on right after the heading; WizardCoder, Panda and Chinese-Alpaca took it over.
        new("alpaca", ChatTurns.Task("\n\n") + """
            {%- for m in messages %}
            {%- if m.role == 'user' %}{{ '### Instruction:\n' ~ m.content ~ '\n\n' }}
            {%- elif m.role == 'assistant' %}{{ '### Response:' ~ m.content ~ eos_token ~ '\n\n' }}{% endif %}
            {%- endfor %}
            {%- if add_generation_prompt %}{{ '### Response:' }}{% endif %}
            """),
        // FastChat's vicuna_v1.1; WizardLM from 1.1 on and Taiwan-LLaMA took it over.
        new("vicuna", """
            {%- for m in messages %}
            {%- if m.role == 'system' %}{{ m.content ~ ' ' }}
            {%- elif loop.first %}
            {{- 'A chat between a curious user and an artificial intelligence assistant. ' }}
            {{- 'The assistant gives helpful, detailed, and polite answers to the user\'s questions. ' }}
            {%- endif %}
            {%- if m.role == 'user' %}{{ 'USER: ' ~ m.content ~ ' ' }}
            {%- elif m.role == 'assistant' %}{{ 'ASSISTANT: ' ~ m.content ~ eos_token }}{% endif %}
            {%- endfor %}
            {%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}
            """) { Roles = ChatRoles.SystemAnywhere },
        // FastChat's koala_v1, after EasyLM's serving code. What it begins with is a mark, no instruction: a system message cannot take its place.
        new("koala", """
            {{- 'BEGINNING OF CONVERSATION: ' }}
            {%- for m in messages %}
            {%- if m.role == 'user' %}{{ 'USER: ' ~ m.content ~ ' ' }}
            {%- elif m.role == 'assistant' %}{{ 'GPT: ' ~ m.content ~ eos_token }}{% endif %}
            {%- endfor %}
            {%- if add_generation_prompt %}{{ 'GPT:' }}{% endif %}
            """) { Roles = ChatRoles.UserAndAssistant },
        // WizardLM's first release: its model card.
        new("wizardlm-1.0", """
            {%- for m in messages %}
            {%- if m.role == 'user' %}{{ m.content ~ '\n\n### Response:' }}
            {%- elif m.role == 'assistant' %}{{ m.content ~ eos_token }}{% endif %}
            {%- endfor %}
            """) { Roles = ChatRoles.UserAndAssistant },
        ChatTurns.Belle,
        // OpenBuddy's released system prompt is long and changes with each model: it is the user's to give.
        ChatTurns.Colon("openbuddy", "User", "Assistant", "\n", systemEnd: "\n\n") with { StopStrings = ["\nUser:"] },
        // XGen's model card.
        ChatTurns.Colon("xgen", "### Human", "### Assistant", "\n",
            "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the human's questions.",
            systemEnd: "\n\n") with { StopStrings = ["### Human"] },
        // Phind-CodeLlama 34B v2: its model card.
        new("phind", """
            {{- '### System Prompt\n' ~ (messages[0].content if messages[0].role == 'system' else 'You are an intelligent programming assistant.') ~ '\n\n' }}
            {%- for m in messages %}
            {%- if m.role == 'user' %}{{ '### User Message\n' ~ m.content ~ '\n\n' }}
            {%- elif m.role == 'assistant' %}{{ '### Assistant\n' ~ m.content ~ '\n\n' }}{% endif %}
            {%- endfor %}
            {%- if add_generation_prompt %}{{ '### Assistant\n' }}{% endif %}
            """) { StopStrings = ["### User Message"] },
    ];

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = new("llama") { Covers = file => file.FindInteger("llama.expert_count") is null or 0, TurnsPairs = true };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        return Describe(config, new(ContextLength: 2048, KeyValueHeads: null), bias, bias, _ => null);
    }
}

using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// ChatGLM-6B: a prefix decoder; half of each head turns by the position in the text, half by that in the answer (Zeng et al. 2022, arXiv 2210.02414; the
/// release's modeling_chatglm.py).
/// </summary>
internal sealed class ChatGlm : DeepNormLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["ChatGLMModel", "ChatGLMForConditionalGeneration"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("ChatGLM 6B (release, 2023)", "SentencePiece Unigram (ice_text.model)");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // The release's modeling_chatglm.py, where a first question is the whole prompt. Every released checkpoint is a chat model.
        new("chatglm", """
            {%- set ns = namespace(round=0) %}
            {%- for m in messages %}
            {%- if m.role == 'user' %}{{ m.content if loop.length == 1 else '[Round ' ~ ns.round ~ ']\n问：' ~ m.content ~ '\n答：' }}
            {%- else %}{{ m.content ~ '\n' }}{% set ns.round = ns.round + 1 %}{% endif %}
            {%- endfor %}
            """) { Roles = ChatRoles.UserAndAssistant, IsCertain = _ => true },
    ];

    /// <summary>The later generations have the same name, and other members.</summary>
    public override bool Covers(ConfigFile config) => !config.Has("ffn_hidden_size");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        // The release does not tell its blocks how many they are: they take the default for that.
        const int AlphaLayers = 28;
        var inTwo = config.Bool("position_encoding_2d", true);
        var end = config.Int("bos_token_id", 130004);
        // Vocabularies before and after the image tokens were taken out have these tokens in the same order; the first configs do not name them all.
        var (mask, gMask) = (config.Int("mask_token_id", end - 4), config.Int("gmask_token_id", end - 3));
        var feedForward = new FeedForwardDescription
        {
            Plain = true,
            IntermediateSize = config.Int("inner_hidden_size"),
            Activation = Activation.GeluTanh,
            Bias = true,
        };
        return Describe(
            config,
            AlphaLayers,
            new() { Theta = 10000, Spans = inTwo, HalfFrequencies = true },
            feedForward,
            // With one position a text goes on at [gMASK], its end; with two everything is at a blank.
            new() { EndToken = end, BlankTokens = inTwo ? [gMask, mask] : [mask] },
            tied: config.Bool("tie_word_embeddings", false));
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = shelf.Take(SourceName(requirement.Name, model));
        if (PartOf(requirement.Name) is not (>= 0 and var part))
            return new(stored);
        var attention = model.Layers[LayerOf(requirement.Name)].Attention!;
        var rows = InGroups(stored, attention, part);
        // [text, span] × [first, second of a pair] becomes [first, second] × [text, span].
        return new(part < 2 && attention.Rotary!.Spans ? rows.Split(1, attention.HeadSize / 2).Split(2, attention.HeadSize / 4).Transpose(1, 2) : rows);
    }
}

using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Baichuan and Baichuan 2: LLaMA with queries, keys and values in one matrix; the larger ones with ALiBi in place of rotary positions,
/// the second generation with a head whose rows count as of length one (Baichuan 2023, arXiv 2309.10305).
/// </summary>
internal sealed class Baichuan() : LlamaLayout(
    ("attention.query", "model.layers.#.self_attn.W_pack"),
    ("attention.key", "model.layers.#.self_attn.W_pack"),
    ("attention.value", "model.layers.#.self_attn.W_pack"))
{
    private const int SecondGenerationVocabulary = 125696;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["BaichuanForCausalLM", "BaiChuanForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Baichuan 7B and 13B (release, 2023), Baichuan 2 7B and 13B (arXiv 2309.10305)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // Both releases' modeling_baichuan.py: a turn begins with a token, and nothing ends it. generation_config.json of chat models alone names these tokens.
        ChatTurns.Tokens("baichuan", "<reserved_102>", "<reserved_103>") with { SpecialTokens = false, IsCertain = evidence => IsChat(evidence) && !IsSecond(evidence.Config) },
        ChatTurns.Tokens("baichuan-2", "<reserved_106>", "<reserved_107>") with { SpecialTokens = false, IsCertain = evidence => IsChat(evidence) && IsSecond(evidence.Config) },
    ];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var model = Describe(config, new(ContextLength: config.Int("model_max_length", 4096), KeyValueHeads: null), inputBias: false, outputBias: false, _ => null);
        // Only the smaller models have a table of positions to bound, and so this member.
        var isRotary = config.Has("max_position_embeddings");
        return WithLayers(model, (layer, _) => isRotary ? layer : layer with
        {
            Attention = layer.Attention! with { Rotary = null, AlibiSlopes = ConfigParts.AlibiSlopes(layer.Attention.QueryHeads) },
        }) with
        {
            Head = model.Head with { RowScale = IsSecond(config) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        if (requirement.Name != TensorSchema.HeadRowScale)
            return base.Source(requirement, model, shelf);
        var head = shelf.Take(SourceName(model.Head.Tied ? TensorSchema.Embedding : TensorSchema.Head));
        return new(head) { Resizes = true, Transform = rows => [.. rows.Chunk(model.HiddenSize).Select(InverseLength)] };
    }

    private static bool IsSecond(ConfigFile config) => config.Has("z_loss_weight") || config.Int("vocab_size") == SecondGenerationVocabulary;

    private static bool IsChat(ChatEvidence evidence) => evidence.Generation is { } generation && generation.Has("user_token_id") && generation.Has("assistant_token_id");

    private static float InverseLength(float[] row)
    {
        const double Shortest = 1e-12;
        return (float)(1 / Math.Max(Math.Sqrt(row.Sum(x => (double)x * x)), Shortest));
    }
}

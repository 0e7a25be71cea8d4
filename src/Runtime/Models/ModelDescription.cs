namespace Weft.Models;

/// <summary>
/// What a packed file says about a model, in the runtime's closed vocabulary of building blocks: the converter writes it,
/// the graph is built from it, and no family name appears in it. Members that a model does not use are left out of the file.
/// </summary>
public sealed record ModelDescription
{
    /// <summary>V: rows of the embedding and of the head. May exceed the tokenizer's vocabulary (padding).</summary>
    public required int VocabularySize { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Longest sequence, in tokens, that the model was trained for, or that its positions are meant to reach.</summary>
    public required int ContextLength { get; init; }

    /// <summary>What tokens become before the first layer, beyond rows of the embedding; null for those alone.</summary>
    public EmbeddingDescription? Embedding { get; init; }

    /// <summary>How tokens of a prompt see each other beyond those before them; null for not at all.</summary>
    public PrefixDescription? Prefix { get; init; }

    /// <summary>Tokens of the model's own before every text; null for none.</summary>
    public VirtualTokensDescription? VirtualTokens { get; init; }

    /// <summary>What reads another text, to which the layers attend; null where the prompt is continued.</summary>
    public EncoderDescription? Encoder { get; init; }

    /// <summary>The layers in order; each carries its own sizes, so that they may differ.</summary>
    public required IReadOnlyList<LayerDescription> Layers { get; init; }

    /// <summary>The norm between the last layer and the head; null for none.</summary>
    public NormDescription? FinalNorm { get; init; }

    /// <summary>The projection onto the vocabulary.</summary>
    public required HeadDescription Head { get; init; }

    /// <summary>All attention blocks: those of the layers that have one, to tokens before or to the source, and the encoder's.</summary>
    internal IEnumerable<AttentionDescription> Attentions =>
        Layers.Concat(Encoder?.Layers ?? []).SelectMany(layer => (AttentionDescription?[])[layer.Attention, layer.CrossAttention]).OfType<AttentionDescription>();

    /// <summary>
    /// What the cache holds: one of each layer by its number, null where it keeps nothing, and where there is an encoder one more, <see cref="EncoderCache"/>. A
    /// layer keeps what it attends to in the source in blocks of the source's, keys and values of its own in others. Layers of an encoder need theirs within a
    /// step and share one.
    /// </summary>
    internal IReadOnlyList<AttentionDescription?> Caches => [.. Layers.Concat(Encoder?.Layers.Take(1) ?? []).Select(layer => layer.Attention)];

    /// <summary>Number of the encoder's cache.</summary>
    internal int EncoderCache => Layers.Count;

    /// <summary>Scores are not scaled down by √D, as GPT-Neo's are not: the rounding of keys counts √D times as much as elsewhere.</summary>
    internal bool HasUnscaledScores => Attentions.Any(attention => attention.Scale * Math.Sqrt(attention.ScoreSize) > 2);

    /// <summary>Some layers are state spaces: C · h may be small beside C and h, and then it shows the rounding of everything that C and h were made of.</summary>
    internal bool HasStateSpaces => Layers.Any(layer => layer.StateSpace is not null);

    /// <summary>
    /// The context is what a text should have and not what it can: the base of every layer's rotary embedding grows with the text, and no table of positions ends.
    /// </summary>
    internal bool IsOpenEnded => Embedding?.Positions is null && Embedding?.QueryPositions is null && Encoder is null && Prefix is null
        && Attentions.Any() && Attentions.All(attention => attention.Rotary?.Scaling is { Kind: RotaryScalingKind.Dynamic or RotaryScalingKind.DynamicSteps });

    /// <summary>Keys and queries are scaled over more powers of two than binary16 has room for.</summary>
    internal bool HasWideKeys => Attentions.Any(attention => attention.Rotary?.Decay is { } decay && !decay.FitsHalf(ContextLength));
}

/// <summary>
/// A prefix decoder (GLM; Du et al. 2021, arXiv 2103.10360): the tokens of a prompt before its first <see cref="EndToken"/> see each other, those from it on see
/// all before them. Each token has two positions. In the text: its place, but from the end token on the place of the blank that is filled, the first of the
/// prefix's <see cref="BlankTokens"/>, if it has one. In the span: 0 in the prefix, then 1, 2, …. A prompt without the end token has no prefix.
/// </summary>
public sealed record PrefixDescription
{
    /// <summary>Ends the prefix, and is no part of it.</summary>
    public required int EndToken { get; init; }

    /// <summary>Tokens that stand for a blank; of several kinds in a prefix the earlier one here counts. Empty where the text position goes on.</summary>
    public IReadOnlyList<int> BlankTokens { get; init; } = [];
}

/// <summary>
/// A prompt that was learned and has no words (prompt tuning: Lester et al. 2021, arXiv 2104.08691; prefix tuning: Li and Liang 2021, arXiv 2101.00190): tokens at positions 0 to
/// Count − 1 of every sequence, whose text begins at position Count.
/// </summary>
public sealed record VirtualTokensDescription
{
    /// <summary>How many.</summary>
    public required int Count { get; init; }

    /// <summary>What was learned is each layer's keys and values, as the cache holds them; otherwise it is what stands in place of rows of the embedding, scaled already.</summary>
    public bool Keys { get; init; }
}

/// <summary>x = norm(projection · (scale · E[token]) + P[position] + S[span position]); what is null is left out.</summary>
public sealed record EmbeddingDescription
{
    /// <summary>Factor on the embedding's rows.</summary>
    public float? Scale { get; init; }

    /// <summary>Width of the embedding's rows, which a projection brings to C; the head goes the same way back.</summary>
    public int? Width { get; init; }

    /// <summary>Rows of a table of positions that is added, learned or computed by the converter.</summary>
    public int? Positions { get; init; }

    /// <summary>Rows of a table of span positions that is added (<see cref="PrefixDescription"/>).</summary>
    public int? SpanPositions { get; init; }

    /// <summary>Rows of a table of positions that is not added: queries are made of it (<see cref="AttentionDescription.PositionQueries"/>).</summary>
    public int? QueryPositions { get; init; }

    /// <summary>Norm of the sum.</summary>
    public NormDescription? Norm { get; init; }
}

/// <summary>
/// One layer. Its branches, attention, attention to a source and feed-forward, are each b = output_norm(f(norm(x))), then x = sum_norm(scale · x + b);
/// what is null is left out. Branches in parallel read the same x, and x = scale · x + both. In place of attention a layer may have another
/// block that mixes tokens, and then its norms are that block's.
/// </summary>
public sealed record LayerDescription
{
    /// <summary>Norm before attention.</summary>
    public NormDescription? AttentionNorm { get; init; }

    /// <summary>The attention block; null where another block mixes tokens.</summary>
    public AttentionDescription? Attention { get; init; }

    /// <summary>The time mixing that stands in attention's place, or null.</summary>
    public TimeMixDescription? TimeMix { get; init; }

    /// <summary>The state space that stands in attention's place, or null.</summary>
    public StateSpaceDescription? StateSpace { get; init; }

    /// <summary>Norm of what attention gives, before it is added.</summary>
    public NormDescription? AttentionOutputNorm { get; init; }

    /// <summary>Norm of the sum after attention.</summary>
    public NormDescription? AttentionSumNorm { get; init; }

    /// <summary>Norm before attention to the source.</summary>
    public NormDescription? CrossAttentionNorm { get; init; }

    /// <summary>A branch between the two: attention of the layer's tokens to what the encoder made of the source; null for none.</summary>
    public AttentionDescription? CrossAttention { get; init; }

    /// <summary>Norm of the sum after attention to the source.</summary>
    public NormDescription? CrossAttentionSumNorm { get; init; }

    /// <summary>The branches read the same x. Without a norm of its own, feed-forward reads what attention reads.</summary>
    public bool Parallel { get; init; }

    /// <summary>Branches are added to what the norms before them give, not to x: x = sum_norm(scale · norm(x) + b).</summary>
    public bool NormedResidual { get; init; }

    /// <summary>Norm before the feed-forward block.</summary>
    public NormDescription? FeedForwardNorm { get; init; }

    /// <summary>The feed-forward block; null for none.</summary>
    public FeedForwardDescription? FeedForward { get; init; }

    /// <summary>Norm of what feed-forward gives, before it is added.</summary>
    public NormDescription? FeedForwardOutputNorm { get; init; }

    /// <summary>Norm of the sum after feed-forward.</summary>
    public NormDescription? FeedForwardSumNorm { get; init; }

    /// <summary>Factor on x in both sums (DeepNorm; Wang et al. 2022, arXiv 2203.00555).</summary>
    public float? ResidualScale { get; init; }
}

/// <summary>How a norm is computed.</summary>
public enum NormKind
{
    /// <summary>x / sqrt(mean(x²) + ε) · w (Zhang and Sennrich 2019, arXiv 1910.07467).</summary>
    Rms,

    /// <summary>(x − mean(x)) / sqrt(var(x) + ε) · w + b (Ba et al. 2016, arXiv 1607.06450).</summary>
    Layer,
}

/// <summary>A normalisation over the last dimension. A weight of the form 1 + w is stored as the sum.</summary>
public sealed record NormDescription
{
    /// <summary>Which formula.</summary>
    public required NormKind Kind { get; init; }

    /// <summary>ε under the root.</summary>
    public required float Epsilon { get; init; }

    /// <summary>There is a bias.</summary>
    public bool Bias { get; init; }

    /// <summary>There is no weight.</summary>
    public bool Weightless { get; init; }
}

/// <summary>Attention with grouped key/value heads (Ainslie et al. 2023, arXiv 2305.13245).</summary>
public sealed record AttentionDescription
{
    /// <summary>H.</summary>
    public required int QueryHeads { get; init; }

    /// <summary>G; divides H. H is multi-head, 1 multi-query attention.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>D.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Factor on the scores before the softmax, usually 1/sqrt(D).</summary>
    public required float Scale { get; init; }

    /// <summary>Query, key and value projections have a bias.</summary>
    public bool InputBias { get; init; }

    /// <summary>The output projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>
    /// Queries are projections of the position's row of the table of <see cref="EmbeddingDescription.QueryPositions"/>, not of x (the query layer of PanGu-α; Zeng et al.
    /// 2021, arXiv 2104.12369).
    /// </summary>
    public bool PositionQueries { get; init; }

    /// <summary>A query sees itself and the previous Window − 1 tokens; null sees all.</summary>
    public int? Window { get; init; }

    /// <summary>Queries, keys and values are clamped to ±Clip.</summary>
    public float? Clip { get; init; }

    /// <summary>Norm of queries and keys: of each head by itself, or of all together.</summary>
    public HeadNormDescription? QueryKeyNorm { get; init; }

    /// <summary>Rotary position embedding of queries and keys; null for none.</summary>
    public RotaryDescription? Rotary { get; init; }

    /// <summary>[H] factors on the distance of a key, which is at most zero, added to the scaled score (ALiBi; Press et al. 2021, arXiv 2108.12409).</summary>
    public IReadOnlyList<float>? AlibiSlopes { get; init; }

    /// <summary>
    /// A learned bias a head by the distance of key and query is added to the scaled score (T5; Raffel et al. 2019, arXiv 1910.10683); keys farther away count as
    /// so far. Null for none.
    /// </summary>
    public int? BiasDistance { get; init; }

    /// <summary>Scaled scores s become cap · tanh(s / cap).</summary>
    public float? SoftCap { get; init; }

    /// <summary>Scores of a query at position p from this many on are multiplied by ln(p + 1) / ln(LogScaleFrom) (Su 2021; Qwen, arXiv 2309.16609).</summary>
    public int? LogScaleFrom { get; init; }

    /// <summary>Each query head has a learned score for attending to nothing.</summary>
    public bool Sinks { get; init; }

    /// <summary>
    /// Keys and values of all heads are projections of one small vector a token, which is what the cache holds; null where the cache holds keys and
    /// values. There is one key/value head then, and D is what the cache holds of a token: what turns, then the vector.
    /// </summary>
    public LatentDescription? Latent { get; init; }

    /// <summary>Elements that the cache holds of a token.</summary>
    internal int CacheSize => Latent is null ? 2 * KeyValueHeads * HeadSize : HeadSize;

    /// <summary>Elements whose products with a query's make a score, as the model was trained.</summary>
    internal int ScoreSize => Latent is { } latent ? latent.PlainSize + HeadSize - latent.Rank : HeadSize;

    /// <summary>Elements of a query head's result.</summary>
    internal int ValueSize => Latent?.Rank ?? HeadSize;
}

/// <summary>
/// Multi-head latent attention (DeepSeek-V2; arXiv 2405.04434): c = norm(W · x) of L elements; a head's key is [turned key of all heads, U · c], its value
/// V · c. U is multiplied into the query and V into the result, so that neither keys nor values of a head are ever computed: a query head of
/// [R turned, P plain] elements becomes [R turned, Uᵀ · plain], and attends to [turned key, c], whose last L elements are its values, too.
/// </summary>
public sealed record LatentDescription
{
    /// <summary>L; D − L elements of key and query turn.</summary>
    public required int Rank { get; init; }

    /// <summary>Queries are projections of a normed vector of so many elements, in place of x; null for x.</summary>
    public int? QueryRank { get; init; }

    /// <summary>P: elements of a query head that do not turn.</summary>
    public required int PlainSize { get; init; }

    /// <summary>Elements of a head's value.</summary>
    public required int ValueSize { get; init; }

    /// <summary>Norm of those vectors.</summary>
    public required NormDescription Norm { get; init; }
}

/// <summary>A norm of queries and keys.</summary>
public sealed record HeadNormDescription
{
    /// <summary>Its formula. Weight and bias are stored for every element, [H·D] and [G·D].</summary>
    public required NormDescription Norm { get; init; }

    /// <summary>Mean and variance are of all heads together, not of each.</summary>
    public bool AcrossHeads { get; init; }

    /// <summary>Queries and keys are normed after they are turned, not before.</summary>
    public bool AfterTurning { get; init; }
}

/// <summary>The projection of the last hidden state onto the vocabulary: logits = soft_cap(scale · row_scale · (W · x + b)).</summary>
public sealed record HeadDescription
{
    /// <summary>The head's weight is the embedding's; no tensor of its own is stored.</summary>
    public required bool Tied { get; init; }

    /// <summary>There is a bias.</summary>
    public bool Bias { get; init; }

    /// <summary>Each logit has a factor of its own: one over the length of the head's row (Baichuan 2).</summary>
    public bool RowScale { get; init; }

    /// <summary>Factor on all logits.</summary>
    public float? Scale { get; init; }

    /// <summary>Logits z become cap · tanh(z / cap).</summary>
    public float? SoftCap { get; init; }
}

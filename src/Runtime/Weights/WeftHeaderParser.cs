using System.Globalization;
using System.Text.Json;
using Weft.Chat;
using Weft.Models;
using Weft.Tensors;
using Weft.Tokenizers;

namespace Weft.Weights;

/// <summary>The members of a header's JSON, what <see cref="WeftJson"/> writes: the same names, the same defaults, nothing else.</summary>
internal static class WeftHeaderParser
{
    /// <summary>Reads a header.</summary>
    /// <exception cref="JsonException">It does not follow the format; the message begins with where.</exception>
    public static WeftHeader Parse(ReadOnlyMemory<byte> json) => HeaderObject.Parse(json, Header);

    /// <summary>Reads a tokenizer.</summary>
    public static TokenizerDescription Tokenizer(HeaderObject o) => new()
    {
        AddedTokens = o.ObjectsOrNone("added_tokens", AddedToken),
        Normalizers = o.ObjectsOrNone("normalizers", Normalizer),
        PreTokenizers = o.ObjectsOrNone("pre_tokenizers", PreTokenizer),
        Model = o.Object("model", TokenModel),
        Prefix = o.Int32sOrNull("prefix") ?? [],
        Suffix = o.Int32sOrNull("suffix") ?? [],
        Decoders = o.ObjectsOrNone("decoders", Decoder),
    };

    private static WeftHeader Header(HeaderObject o) => new()
    {
        Model = o.Object("model", Model),
        Tokenizer = o.ObjectOrNull("tokenizer", Tokenizer),
        ChatTemplate = o.TextOrNull("chat_template"),
        Chat = o.ObjectOrNull("chat", Chat),
        Generation = o.ObjectOrNull("generation", Generation) ?? new(),
        Provenance = o.Object("provenance", Provenance),
        Tensors = o.Objects("tensors", Tensor),
    };

    private static ChatSettings Chat(HeaderObject o) => new()
    {
        Templates = o.TextsByNameOrNull("templates"),
        SpecialTokens = o.FlagOrFalse("special_tokens"),
        StopStrings = o.TextsOrNull("stop_strings"),
    };

    private static GenerationDefaults Generation(HeaderObject o) => new()
    {
        BosToken = o.Int32OrNull("bos_token"),
        EosTokens = o.Int32sOrNull("eos_tokens") ?? [],
        PadToken = o.Int32OrNull("pad_token"),
        Temperature = o.SingleOrNull("temperature"),
        TopK = o.Int32OrNull("top_k"),
        TopP = o.SingleOrNull("top_p"),
        RepetitionPenalty = o.SingleOrNull("repetition_penalty"),
    };

    private static Provenance Provenance(HeaderObject o) => new()
    {
        Architecture = o.Text("architecture"),
        Converter = o.Text("converter"),
        Sources = o.Objects("sources", source => new SourceFile(source.Text("name"), source.Int64("bytes"), source.Text("sha256"))),
    };

    private static TensorEntry Tensor(HeaderObject o) => new(
        o.Text("name"),
        DataTypes.TryParse(o.Text("dtype"), out var type) ? type : throw o.Wrong("dtype", "data type that is known"),
        o.Word<TensorLayout>("layout"),
        o.Int32s("shape"),
        o.Int64("offset"),
        o.Int64("length"),
        o.Text("checksum") is { Length: 8 } digits && uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var checksum)
            ? checksum
            : throw o.Wrong("checksum", "eight hexadecimal digits"),
        o.ObjectOrNull("quantization", Quantization));

    private static Quantization Quantization(HeaderObject o) => new()
    {
        GroupSize = o.Int32("group_size"),
        ZeroPoints = o.FlagOrFalse("zero_points"),
        Fractional = o.FlagOrFalse("fractional"),
        Permuted = o.FlagOrFalse("permuted"),
    };

    private static ModelDescription Model(HeaderObject o) => new()
    {
        VocabularySize = o.Int32("vocabulary_size"),
        HiddenSize = o.Int32("hidden_size"),
        ContextLength = o.Int32("context_length"),
        Embedding = o.ObjectOrNull("embedding", Embedding),
        Prefix = o.ObjectOrNull("prefix", Prefix),
        VirtualTokens = o.ObjectOrNull("virtual_tokens", VirtualTokens),
        Encoder = o.ObjectOrNull("encoder", Encoder),
        Layers = o.Objects("layers", Layer),
        FinalNorm = o.ObjectOrNull("final_norm", Norm),
        Head = o.Object("head", Head),
    };

    private static PrefixDescription Prefix(HeaderObject o) => new()
    {
        EndToken = o.Int32("end_token"),
        BlankTokens = o.Int32sOrNull("blank_tokens") ?? [],
    };

    private static VirtualTokensDescription VirtualTokens(HeaderObject o) => new()
    {
        Count = o.Int32("count"),
        Keys = o.FlagOrFalse("keys"),
    };

    private static EncoderDescription Encoder(HeaderObject o) => new()
    {
        Embedding = o.ObjectOrNull("embedding", Embedding),
        Layers = o.Objects("layers", Layer),
        FinalNorm = o.ObjectOrNull("final_norm", Norm),
        StartTokens = o.Int32s("start_tokens"),
    };

    private static EmbeddingDescription Embedding(HeaderObject o) => new()
    {
        Scale = o.SingleOrNull("scale"),
        Width = o.Int32OrNull("width"),
        Positions = o.Int32OrNull("positions"),
        SpanPositions = o.Int32OrNull("span_positions"),
        QueryPositions = o.Int32OrNull("query_positions"),
        Norm = o.ObjectOrNull("norm", Norm),
    };

    private static HeadDescription Head(HeaderObject o) => new()
    {
        Tied = o.Flag("tied"),
        Bias = o.FlagOrFalse("bias"),
        RowScale = o.FlagOrFalse("row_scale"),
        Scale = o.SingleOrNull("scale"),
        SoftCap = o.SingleOrNull("soft_cap"),
    };

    private static LayerDescription Layer(HeaderObject o) => new()
    {
        AttentionNorm = o.ObjectOrNull("attention_norm", Norm),
        Attention = o.ObjectOrNull("attention", Attention),
        TimeMix = o.ObjectOrNull("time_mix", TimeMix),
        StateSpace = o.ObjectOrNull("state_space", StateSpace),
        AttentionOutputNorm = o.ObjectOrNull("attention_output_norm", Norm),
        AttentionSumNorm = o.ObjectOrNull("attention_sum_norm", Norm),
        CrossAttentionNorm = o.ObjectOrNull("cross_attention_norm", Norm),
        CrossAttention = o.ObjectOrNull("cross_attention", Attention),
        CrossAttentionSumNorm = o.ObjectOrNull("cross_attention_sum_norm", Norm),
        Parallel = o.FlagOrFalse("parallel"),
        NormedResidual = o.FlagOrFalse("normed_residual"),
        FeedForwardNorm = o.ObjectOrNull("feed_forward_norm", Norm),
        FeedForward = o.ObjectOrNull("feed_forward", FeedForward),
        FeedForwardOutputNorm = o.ObjectOrNull("feed_forward_output_norm", Norm),
        FeedForwardSumNorm = o.ObjectOrNull("feed_forward_sum_norm", Norm),
        ResidualScale = o.SingleOrNull("residual_scale"),
    };

    private static NormDescription Norm(HeaderObject o) => new()
    {
        Kind = o.Word<NormKind>("kind"),
        Epsilon = o.Single("epsilon"),
        Bias = o.FlagOrFalse("bias"),
        Weightless = o.FlagOrFalse("weightless"),
    };

    private static AttentionDescription Attention(HeaderObject o) => new()
    {
        QueryHeads = o.Int32("query_heads"),
        KeyValueHeads = o.Int32("key_value_heads"),
        HeadSize = o.Int32("head_size"),
        Scale = o.Single("scale"),
        InputBias = o.FlagOrFalse("input_bias"),
        OutputBias = o.FlagOrFalse("output_bias"),
        PositionQueries = o.FlagOrFalse("position_queries"),
        Window = o.Int32OrNull("window"),
        Clip = o.SingleOrNull("clip"),
        QueryKeyNorm = o.ObjectOrNull("query_key_norm", norm => new HeadNormDescription { Norm = norm.Object("norm", Norm), AcrossHeads = norm.FlagOrFalse("across_heads"), AfterTurning = norm.FlagOrFalse("after_turning") }),
        Rotary = o.ObjectOrNull("rotary", Rotary),
        AlibiSlopes = o.SinglesOrNull("alibi_slopes"),
        BiasDistance = o.Int32OrNull("bias_distance"),
        SoftCap = o.SingleOrNull("soft_cap"),
        LogScaleFrom = o.Int32OrNull("log_scale_from"),
        Sinks = o.FlagOrFalse("sinks"),
        Latent = o.ObjectOrNull("latent", Latent),
    };

    private static LatentDescription Latent(HeaderObject o) => new()
    {
        Rank = o.Int32("rank"),
        QueryRank = o.Int32OrNull("query_rank"),
        PlainSize = o.Int32("plain_size"),
        ValueSize = o.Int32("value_size"),
        Norm = o.Object("norm", Norm),
    };

    private static RotaryDescription Rotary(HeaderObject o) => new()
    {
        Size = o.Int32OrNull("size"),
        Theta = o.Double("theta"),
        Scaling = o.ObjectOrNull("scaling", Scaling),
        Spans = o.FlagOrFalse("spans"),
        HalfFrequencies = o.FlagOrFalse("half_frequencies"),
        Decay = o.ObjectOrNull("decay", decay => new RotaryDecay { Base = decay.Double("base"), Origin = decay.Int32("origin") }),
    };

    private static RotaryScaling Scaling(HeaderObject o) => new()
    {
        Kind = o.Word<RotaryScalingKind>("kind"),
        Factor = o.Double("factor"),
        OriginalContextLength = o.Int32OrNull("original_context_length") ?? 0,
        LowFrequencyFactor = o.DoubleOrNull("low_frequency_factor") ?? 0,
        HighFrequencyFactor = o.DoubleOrNull("high_frequency_factor") ?? 0,
        BetaFast = o.DoubleOrNull("beta_fast") ?? 0,
        BetaSlow = o.DoubleOrNull("beta_slow") ?? 0,
        Unrounded = o.FlagOrFalse("unrounded"),
        AttentionFactor = o.DoubleOrNull("attention_factor") ?? 0,
        Divisors = o.DoublesOrNull("divisors"),
        LongDivisors = o.DoublesOrNull("long_divisors"),
    };

    private static FeedForwardDescription FeedForward(HeaderObject o) => new()
    {
        Plain = o.FlagOrFalse("plain"),
        IntermediateSize = o.Int32("intermediate_size"),
        Activation = o.Word<Activation>("activation"),
        Bias = o.FlagOrFalse("bias"),
        Limit = o.SingleOrNull("limit"),
        TokenShift = o.FlagOrFalse("token_shift"),
        Receptance = o.FlagOrFalse("receptance"),
        Experts = o.ObjectOrNull("experts", Experts),
    };

    private static ExpertsDescription Experts(HeaderObject o) => new()
    {
        Count = o.Int32("count"),
        Active = o.Int32("active"),
        Score = o.WordOrDefault<RouterScore>("score"),
        RouterBias = o.FlagOrFalse("router_bias"),
        SelectionBias = o.FlagOrFalse("selection_bias"),
        Groups = o.ObjectOrNull("groups", groups => new ExpertGroupsDescription { Count = groups.Int32("count"), Active = groups.Int32("active"), Leading = groups.Int32("leading") }),
        Normalized = o.FlagOrFalse("normalized"),
        Scale = o.SingleOrNull("scale"),
        SharedSize = o.Int32OrNull("shared_size"),
        SharedSwitch = o.FlagOrFalse("shared_switch"),
        Margin = o.SingleOrNull("margin"),
    };

    private static TimeMixDescription TimeMix(HeaderObject o) => new()
    {
        Kind = o.Word<TimeMixKind>("kind"),
        Width = o.Int32("width"),
        HeadSize = o.Int32OrNull("head_size") ?? 0,
        Norm = o.ObjectOrNull("norm", Norm),
        MixRank = o.Int32OrNull("mix_rank") ?? 0,
        DecayRank = o.Int32OrNull("decay_rank") ?? 0,
        RateRank = o.Int32OrNull("rate_rank") ?? 0,
        ValueRank = o.Int32OrNull("value_rank") ?? 0,
        GateRank = o.Int32OrNull("gate_rank") ?? 0,
    };

    private static StateSpaceDescription StateSpace(HeaderObject o) => new()
    {
        Kind = o.Word<StateSpaceKind>("kind"),
        Width = o.Int32("width"),
        StateSize = o.Int32("state_size"),
        Convolution = o.Int32("convolution"),
        ConvolutionBias = o.FlagOrFalse("convolution_bias"),
        Bias = o.FlagOrFalse("bias"),
        InputNorm = o.ObjectOrNull("input_norm", Norm),
        StepRank = o.Int32OrNull("step_rank") ?? 0,
        Heads = o.Int32OrNull("heads") ?? 0,
        Groups = o.Int32OrNull("groups") ?? 0,
        Norm = o.ObjectOrNull("norm", Norm),
        StepMin = o.SingleOrNull("step_min"),
        StepMax = o.SingleOrNull("step_max"),
    };

    private static AddedToken AddedToken(HeaderObject o) => new()
    {
        Id = o.Int32("id"),
        Content = o.Text("content"),
        Special = o.FlagOrFalse("special"),
        StripLeft = o.FlagOrFalse("strip_left"),
        StripRight = o.FlagOrFalse("strip_right"),
        Normalized = o.FlagOrFalse("normalized"),
        SingleWord = o.FlagOrFalse("single_word"),
    };

    private static NormalizerStep Normalizer(HeaderObject o) => new()
    {
        Kind = o.Word<NormalizerKind>("kind"),
        Pattern = o.TextOrNull("pattern"),
        Content = o.TextOrNull("content"),
    };

    private static PreTokenizerStep PreTokenizer(HeaderObject o) => new()
    {
        Kind = o.Word<PreTokenizerKind>("kind"),
        Pattern = o.TextOrNull("pattern"),
        Behavior = o.WordOrDefault<SplitBehavior>("behavior"),
        Invert = o.FlagOrFalse("invert"),
        Length = o.Int32OrNull("length") ?? 0,
        OnlyFirst = o.FlagOrFalse("only_first"),
        Never = o.FlagOrFalse("never"),
        SplitWords = o.FlagOrFalse("split_words"),
    };

    private static TokenModelDescription TokenModel(HeaderObject o) => TokenModel(o, o.PackedTexts("tokens"));

    private static TokenModelDescription TokenModel(HeaderObject o, string?[] tokens) => new()
    {
        Kind = o.WordOrDefault<TokenModelKind>("kind"),
        Tokens = tokens,
        Merges = o.PackedIdsOrNull("merges"),
        Scores = o.PackedScoresOrNull("scores", tokens.Length),
        SingleSums = o.FlagOrFalse("single_sums"),
        ControlTokens = o.Int32sOrNull("control_tokens") ?? [],
        UnusedTokens = o.Int32sOrNull("unused_tokens") ?? [],
        WholeTokens = o.Int32sOrNull("whole_tokens") ?? [],
        ByteLevel = o.FlagOrFalse("byte_level"),
        ByteFallback = o.FlagOrFalse("byte_fallback"),
        IgnoreMerges = o.FlagOrFalse("ignore_merges"),
        Unknown = o.Int32OrNull("unknown"),
        FuseUnknown = o.FlagOrFalse("fuse_unknown"),
        ContinuingPrefix = o.TextOrNull("continuing_prefix"),
        WordSuffix = o.TextOrNull("word_suffix"),
        LongestWord = o.Int32OrNull("longest_word") ?? 0,
    };

    private static DecoderStep Decoder(HeaderObject o) => new()
    {
        Kind = o.Word<DecoderKind>("kind"),
        Pattern = o.TextOrNull("pattern"),
        Content = o.TextOrNull("content"),
        Start = o.Int32OrNull("start") ?? 0,
        Stop = o.Int32OrNull("stop") ?? 0,
        Prefixed = o.FlagOrFalse("prefixed"),
        Cleanup = o.FlagOrFalse("cleanup"),
    };
}

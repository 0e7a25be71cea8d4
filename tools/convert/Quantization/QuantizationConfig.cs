using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Tensors;

namespace Weft.Convert.Quantization;

/// <summary>How a checkpoint's matrices are stored.</summary>
internal enum QuantizationMethod
{
    /// <summary>AutoGPTQ's and GPTQModel's layout (Frantar et al. 2022, arXiv 2210.17323).</summary>
    Gptq,

    /// <summary>AutoAWQ's GEMM layout (Lin et al. 2023, arXiv 2306.00978).</summary>
    Awq,

    /// <summary>gpt-oss's layout of experts in MXFP4.</summary>
    Mxfp4,

    /// <summary>compressed-tensors' packed integers: a word holds neighbouring columns of a row.</summary>
    CompressedPacked,

    /// <summary>compressed-tensors' integers of eight bits.</summary>
    CompressedBytes,

    /// <summary>bitsandbytes' integers of eight bits (LLM.int8(), Dettmers et al. 2022, arXiv 2208.07339).</summary>
    BitsAndBytes,
}

/// <summary>What config.json (or the file beside it that older tools wrote) says about quantization.</summary>
internal sealed record QuantizationConfig
{
    private const string Supported = "supported are gptq with 2, 3, 4 or 8 bits, awq with 4 bits in the GEMM layout, compressed-tensors with integers of 4 or 8 bits or 8-bit floats, bitsandbytes with 8 or 4 bits, mxfp4 and fp8";

    /// <summary>Which layout.</summary>
    public required QuantizationMethod Method { get; init; }

    /// <summary>Of a code: 2, 3, 4 or 8.</summary>
    public required int Bits { get; init; }

    /// <summary>Columns that share a scale; −1 for all.</summary>
    public required int GroupSize { get; init; }

    /// <summary>Columns may belong to any group (GPTQ's act-order).</summary>
    public bool ActOrder { get; init; }

    /// <summary>What is added to stored zero points: version 1 of GPTQ's layout stores one less.</summary>
    public int ZeroPointOffset { get; init; }

    /// <summary>The config says that there are no zero points but the middle of the codes.</summary>
    public bool IsSymmetric { get; init; }

    /// <summary>Type of the packed file's codes; those of fewer bits than 4 take 4.</summary>
    public DataType Type => Method == QuantizationMethod.Mxfp4 ? DataType.Mxfp4 : Bits <= 4 ? DataType.Int4 : DataType.Int8;

    /// <summary>Last name of a matrix's codes.</summary>
    public string CodesName => Method switch
    {
        QuantizationMethod.CompressedPacked => "weight_packed",
        QuantizationMethod.CompressedBytes or QuantizationMethod.BitsAndBytes => "weight",
        _ => "qweight",
    };

    /// <summary>Last name of a matrix's scales.</summary>
    public string ScalesName => Method switch
    {
        QuantizationMethod.CompressedPacked or QuantizationMethod.CompressedBytes => "weight_scale",
        QuantizationMethod.BitsAndBytes => "SCB",
        _ => "scales",
    };

    /// <summary>Whether a tensor holds codes; in some layouts their name is that of numbers.</summary>
    public bool AreCodes(StoredTensor tensor) =>
        tensor.Name.EndsWith("." + CodesName, StringComparison.Ordinal) && tensor.Type == (CodesName == "weight" ? StoredType.Int8 : StoredType.Int32);

    /// <summary>[M, K] of the matrix that these codes are of; null where they are no matrix.</summary>
    public (long Rows, long Columns)? ShapeOf(StoredTensor codes) => codes.Shape is not [var first, var second] ? null : Method switch
    {
        QuantizationMethod.Awq => (second * 32 / Bits, first),
        QuantizationMethod.CompressedPacked => (first, second * 32 / Bits),
        QuantizationMethod.CompressedBytes or QuantizationMethod.BitsAndBytes => (first, second),
        _ => (second, first * 32 / Bits),
    };

    /// <summary>Reads it; null when the checkpoint's weights are numbers.</summary>
    /// <param name="config">config.json.</param>
    /// <param name="folder">Of the checkpoint.</param>
    /// <exception cref="WeftException">It says something that is not supported.</exception>
    public static QuantizationConfig? Read(ConfigFile config, string folder) => Find(config, folder) is var (own, method) ? Parse(own, method) : null;

    /// <summary>Refuses a checkpoint of which nothing is stored as the config says.</summary>
    /// <param name="config">config.json.</param>
    /// <param name="folder">Of the checkpoint.</param>
    /// <param name="checkpoint">Its tensors.</param>
    /// <exception cref="WeftException">There are numbers only.</exception>
    public static void RequireCodes(ConfigFile config, string folder, Checkpoint checkpoint)
    {
        if (Find(config, folder) is not var (own, method))
            return;
        _ = Parse(own, method); // what is not supported goes first
        bool AreCodes(StoredTensor tensor) => method switch
        {
            "gptq" or "awq" => tensor.Name.EndsWith(".qweight", StringComparison.Ordinal),
            "mxfp4" => tensor.Name.EndsWith("_blocks", StringComparison.Ordinal),
            _ => tensor.Type is StoredType.Int8 or StoredType.UInt8 or StoredType.Int32 or StoredType.Float8,
        };
        if (!checkpoint.Tensors.Values.Any(AreCodes))
            throw own.Error($"the weights are said to be quantized ({method}), but no tensor is stored so; remove that if they are numbers");
    }

    /// <summary>The object that says how, and its method.</summary>
    private static (ConfigFile Config, string Method)? Find(ConfigFile config, string folder)
    {
        if (config.Object("quantization_config") is { } own)
            return (own, own.String("quant_method") ?? throw own.Error("'quantization_config.quant_method' is missing"));
        foreach (var (name, method) in (ReadOnlySpan<(string, string)>)[("quantize_config.json", "gptq"), ("quant_config.json", "awq")])
        {
            var path = Path.Combine(folder, name);
            if (File.Exists(path) && ConfigFile.Open(path) is var beside)
                return (beside, beside.String("quant_method") ?? method);
        }

        return null;
    }

    private static QuantizationConfig? Parse(ConfigFile config, string method) => method switch
    {
        // The checkpoint's tensors say so themselves, here and of bitsandbytes' four bits: they are read as numbers.
        "fp8" => null,
        "compressed-tensors" when Float8Weights.IsFloat8(config) => null,
        "compressed-tensors" => Compressed(config),
        "bitsandbytes" => BitsAndBytes(config),
        "gptq" => Gptq(config),
        "awq" => Awq(config),
        "mxfp4" => new() { Method = QuantizationMethod.Mxfp4, Bits = 4, GroupSize = Mxfp4Matrix.Meaning.GroupSize },
        _ => throw config.Error($"the quantization '{method}' is not supported; {Supported}"),
    };

    private static QuantizationConfig Gptq(ConfigFile config)
    {
        var format = config.String("checkpoint_format") ?? "gptq";
        if (format is not ("gptq" or "gptq_v2"))
            throw config.Error($"the GPTQ layout '{format}' is not supported; {Supported}");
        var bits = config.Int("bits");
        if (bits is not (2 or 3 or 4 or 8))
            throw config.Error($"GPTQ with {bits} bits is not supported; {Supported}");
        return new()
        {
            Method = QuantizationMethod.Gptq,
            Bits = bits,
            GroupSize = GroupSizeOf(config, "group_size"),
            ActOrder = config.Bool("desc_act", false),
            ZeroPointOffset = format == "gptq" ? 1 : 0,
        };
    }

    private static QuantizationConfig Awq(ConfigFile config)
    {
        var version = config.String("version") ?? "gemm";
        if (!version.Equals("gemm", StringComparison.OrdinalIgnoreCase))
            throw config.Error($"the AWQ layout '{version}' is not supported; {Supported}");
        var isOld = config.Has("w_bit");
        var bits = config.Int(isOld ? "w_bit" : "bits");
        if (bits != 4)
            throw config.Error($"AWQ with {bits} bits is not supported; {Supported}");
        return new()
        {
            Method = QuantizationMethod.Awq,
            Bits = bits,
            GroupSize = GroupSizeOf(config, isOld ? "q_group_size" : "group_size"),
            IsSymmetric = !config.Bool("zero_point", true),
        };
    }

    private static QuantizationConfig Compressed(ConfigFile config)
    {
        var format = config.String("format");
        var groups = Float8Weights.Groups(config).ToList();
        if (format is not ("pack-quantized" or "int-quantized") || groups is not [var first, ..])
            throw config.Error($"the format '{format}' of compressed-tensors is not supported; {Supported}");
        var bits = first.Int("num_bits", 0);
        if (bits is not (4 or 8) || first.String("type") != "int" || !first.Bool("symmetric", true) || groups.Exists(other => other.Int("num_bits", 0) != bits))
            throw config.Error($"compressed-tensors with {bits} bits of type '{first.String("type")}' is not supported unless all are symmetric integers of 4 or 8 bits; {Supported}");
        var strategy = first.String("strategy") ?? "channel";
        if (strategy is not ("group" or "channel"))
            throw config.Error($"scales of compressed-tensors for each '{strategy}' are not supported; they may be for each group or channel");
        return new()
        {
            Method = format == "pack-quantized" ? QuantizationMethod.CompressedPacked : QuantizationMethod.CompressedBytes,
            Bits = bits,
            GroupSize = strategy == "channel" ? -1 : GroupSizeOf(first, "group_size"),
            ActOrder = first.String("actorder") is "group" or "dynamic",
        };
    }

    private static QuantizationConfig? BitsAndBytes(ConfigFile config) => config.Bool("load_in_8bit", false)
        ? new() { Method = QuantizationMethod.BitsAndBytes, Bits = 8, GroupSize = -1 }
        : config.Bool("load_in_4bit", false) ? null : throw config.Error($"bitsandbytes with neither 8 nor 4 bits is not supported; {Supported}");

    private static int GroupSizeOf(ConfigFile config, string name) => config.Int(name) is var size && size is -1 or > 0
        ? size
        : throw config.Error($"'{name}' is {size}; it must be −1 (all columns) or positive");
}

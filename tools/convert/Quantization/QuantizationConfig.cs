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
}

/// <summary>What config.json (or the file beside it that older tools wrote) says about quantization.</summary>
internal sealed record QuantizationConfig
{
    private const string Supported = "supported are gptq with 4 or 8 bits, awq with 4 bits in the GEMM layout, mxfp4, fp8 and compressed-tensors with 8-bit floats";

    /// <summary>Which layout.</summary>
    public required QuantizationMethod Method { get; init; }

    /// <summary>4 or 8.</summary>
    public required int Bits { get; init; }

    /// <summary>Columns that share a scale; −1 for all.</summary>
    public required int GroupSize { get; init; }

    /// <summary>Columns may belong to any group (GPTQ's act-order).</summary>
    public bool ActOrder { get; init; }

    /// <summary>What is added to stored zero points: version 1 of GPTQ's layout stores one less.</summary>
    public int ZeroPointOffset { get; init; }

    /// <summary>Type of the codes.</summary>
    public DataType Type => Method == QuantizationMethod.Mxfp4 ? DataType.Mxfp4 : Bits == 4 ? DataType.Int4 : DataType.Int8;

    /// <summary>Rows of the matrix that these codes are of; null where they are no matrix.</summary>
    public int? RowsOf(StoredTensor codes) => codes.Shape.Count != 2 ? null : (int)codes.Shape[1] * (Method == QuantizationMethod.Awq ? 32 / Bits : 1);

    /// <summary>Columns of the matrix that these codes are of.</summary>
    public long ColumnsOf(StoredTensor codes) => codes.Shape[0] * (Method == QuantizationMethod.Awq ? 1 : 32 / Bits);

    /// <summary>Reads it; null when the checkpoint's weights are numbers.</summary>
    /// <param name="config">config.json.</param>
    /// <param name="folder">Of the checkpoint.</param>
    /// <exception cref="WeftException">It says something that is not supported.</exception>
    public static QuantizationConfig? Read(ConfigFile config, string folder)
    {
        if (config.Object("quantization_config") is { } own)
            return Parse(own, own.String("quant_method") ?? throw own.Error("'quantization_config.quant_method' is missing"));
        foreach (var (name, method) in (ReadOnlySpan<(string, string)>)[("quantize_config.json", "gptq"), ("quant_config.json", "awq")])
        {
            var path = Path.Combine(folder, name);
            if (File.Exists(path) && ConfigFile.Open(path) is var beside)
                return Parse(beside, beside.String("quant_method") ?? method);
        }

        return null;
    }

    private static QuantizationConfig? Parse(ConfigFile config, string method) => method switch
    {
        // Numbers of eight bits: the checkpoint's tensors say so themselves.
        "fp8" => null,
        "compressed-tensors" when Float8Weights.IsFloat8(config) => null,
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
        if (bits is not (4 or 8))
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
        return new() { Method = QuantizationMethod.Awq, Bits = bits, GroupSize = GroupSizeOf(config, isOld ? "q_group_size" : "group_size") };
    }

    private static int GroupSizeOf(ConfigFile config, string name) => config.Int(name) is var size && size is -1 or > 0
        ? size
        : throw config.Error($"'{name}' is {size}; it must be −1 (all columns) or positive");
}

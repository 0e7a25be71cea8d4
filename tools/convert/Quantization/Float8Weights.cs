using Weft.Convert.Checkpoints;
using Weft.Convert.Families;

namespace Weft.Convert.Quantization;

/// <summary>
/// Weights in eight-bit floating point (E4M3) beside scales, as DeepSeek-V3 (arXiv 2412.19437) and compressed-tensors store them. They become numbers
/// while they are read: from there on the checkpoint is like any other.
/// </summary>
internal static class Float8Weights
{
    private const string Weight = ".weight";

    // Numbers are multiplied by either, whatever the name says.
    private static readonly string[] Factors = ["_scale_inv", "_scale"];

    // Scales of activations and of the cache, which are not rounded to eight bits here.
    private static readonly string[] Unused = [".input_scale", ".k_scale", ".v_scale"];

    /// <summary>The same checkpoint, where each such matrix knows its scales.</summary>
    /// <exception cref="WeftException">One has none, or of another shape.</exception>
    public static Checkpoint Attach(Checkpoint checkpoint, ConfigFile config)
    {
        if (checkpoint.Tensors.Values.All(tensor => tensor.Type != StoredType.Float8))
            return checkpoint;
        var block = Block(config);
        var tensors = new Dictionary<string, StoredTensor>(checkpoint.Tensors);
        foreach (var matrix in checkpoint.Tensors.Values.Where(tensor => tensor.Type == StoredType.Float8))
        {
            if (!matrix.Name.EndsWith(Weight, StringComparison.Ordinal)
                || Factors.Select(end => tensors.GetValueOrDefault(matrix.Name + end)).FirstOrDefault(tensor => tensor is not null) is not { } scales)
                throw new WeftException($"{matrix.File}: tensor '{matrix.Name}' holds numbers of 8 bits, but '{matrix.Name}_scale' and '{matrix.Name}_scale_inv' are missing");
            tensors[matrix.Name] = matrix with { Scales = new(matrix, scales, block) };
            tensors.Remove(scales.Name);
        }

        foreach (var name in checkpoint.Tensors.Keys.Where(name => Unused.Any(end => name.EndsWith(end, StringComparison.Ordinal))))
            tensors.Remove(name);
        return checkpoint with { Tensors = tensors };
    }

    /// <summary>Whether compressed-tensors has stored all of its matrices so.</summary>
    public static bool IsFloat8(ConfigFile quantization) =>
        quantization.String("format") is "float-quantized" or "naive-quantized" && Groups(quantization).All(weights =>
            weights.Int("num_bits", 0) == 8 && weights.String("type") == "float" && weights.Bool("symmetric", true));

    private static (int Rows, int Columns)? Block(ConfigFile config)
    {
        if (config.Object("quantization_config") is not { } quantization)
            return null;
        var sizes = quantization.Ints("weight_block_size");
        if (sizes.Count == 0)
            sizes = Groups(quantization).Select(weights => weights.Ints("block_structure")).FirstOrDefault(structure => structure.Count > 0) ?? [];
        return sizes switch
        {
            [] => null,
            [var rows and > 0, var columns and > 0] => (rows, columns),
            _ => throw quantization.Error("the blocks that share a scale must have two positive sizes"),
        };
    }

    /// <summary>What compressed-tensors says of the weights of each group of layers.</summary>
    public static IEnumerable<ConfigFile> Groups(ConfigFile quantization) => quantization.Object("config_groups") is { } groups
        ? groups.Members.Select(group => groups.Object(group.Key)?.Object("weights")).OfType<ConfigFile>()
        : [];
}

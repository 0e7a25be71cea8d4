using System.Text.Json;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Convert.Families;

/// <summary>Parts of a config that families read alike.</summary>
internal static class ConfigParts
{
    // Far beyond any model, and few enough that describing them, and others for comparison, takes no time to speak of.
    private const int MaxLayers = 2000;

    // Far beyond any model too; each may have a slope.
    private const int MaxHeads = 1 << 16;

    /// <summary>The number of layers.</summary>
    public static int Layers(ConfigFile config, string name) => config.Int(name) is var layers and >= 1 and <= MaxLayers
        ? layers
        : throw config.Error($"'{name}' must be from 1 to {MaxLayers}");

    /// <summary>A number of things, of which there is one at least.</summary>
    public static int Positive(ConfigFile config, string name, int whenMissing)
    {
        var number = config.Int(name, whenMissing);
        return number > 0 ? number : throw config.Error($"'{name}' is {number}, but must be positive");
    }

    /// <summary>The list of a member, which has an entry for each layer.</summary>
    public static IReadOnlyList<T> OfLayers<T>(ConfigFile config, string name, IReadOnlyList<T> list, int layers) =>
        list.Count == layers ? list : throw config.Error($"'{name}' has {list.Count} entries, but there are {layers} layers");

    /// <summary>Of several spellings of one member the one that the file uses, otherwise the first.</summary>
    /// <exception cref="WeftException">The file uses two and gives them different values.</exception>
    public static string Spelling(ConfigFile config, params string[] names)
    {
        string[] used = [.. names.Where(config.Has)];
        foreach (var other in used.Skip(1))
        {
            var (first, second) = (config.Json(used[0])!.Value, config.Json(other)!.Value);
            if (first.ValueKind == second.ValueKind && !JsonElement.DeepEquals(first, second))
                throw config.Error($"'{used[0]}' is {first.GetRawText()} and '{other}' {second.GetRawText()}, though they mean the same");
        }

        return used.FirstOrDefault(names[0]);
    }

    /// <summary>What numbers stored in fewer bits become unless another type is asked for: the type that the config says the model computes in, if it has 16 bits.</summary>
    public static DataType ComputeType(ConfigFile config) =>
        (config.String("torch_dtype") ?? config.String("dtype")) == "float16" ? DataType.Float16 : DataType.BFloat16;

    /// <summary>D, where heads share the hidden size evenly.</summary>
    public static int HeadSize(ConfigFile config, int hidden, int heads) => hidden % Heads(config, heads) == 0
        ? hidden / heads
        : throw config.Error($"{heads} attention heads do not divide a hidden size of {hidden}");

    /// <summary>The number of attention heads, which may be listed one by one in a description.</summary>
    public static int Heads(ConfigFile config, int heads) => heads is >= 1 and <= MaxHeads ? heads : throw config.Error($"the number of attention heads is {heads}, but must be from 1 to {MaxHeads}");

    /// <summary>An activation by its name.</summary>
    public static Activation Activation(ConfigFile config, string name, string whenMissing) => (config.String(name) ?? whenMissing) switch
    {
        "silu" or "swish" => Models.Activation.Silu,
        "gelu" => Models.Activation.Gelu,
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" or "gelu_tanh" => Models.Activation.GeluTanh,
        "relu" => Models.Activation.Relu,
        "relu2" => Models.Activation.ReluSquared,
        "quick_gelu" => Models.Activation.QuickGelu,
        var other => throw config.Error($"the activation '{other}' is not supported; supported are silu, gelu, gelu_pytorch_tanh, relu, relu2, quick_gelu"),
    };

    /// <summary>A LayerNorm with weight and bias.</summary>
    public static NormDescription LayerNorm(ConfigFile config, string epsilon, double whenMissing = 1e-5) => LayerNorm(config.Double(epsilon, whenMissing));

    /// <summary>A LayerNorm with weight and bias.</summary>
    public static NormDescription LayerNorm(double epsilon) => new() { Kind = NormKind.Layer, Epsilon = (float)epsilon, Bias = true };

    /// <summary>Refuses a member that asks for what no building block does.</summary>
    public static void RefuseTrue(ConfigFile config, params string[] names)
    {
        foreach (var name in names)
        {
            if (config.Bool(name, false))
                throw config.Error($"'{name}' is not supported");
        }
    }

    /// <summary>A number that may be null, or missing with the same meaning.</summary>
    public static float? Optional(ConfigFile config, string name) => config.Has(name) ? (float)config.Double(name) : null;

    /// <summary>1/√D.</summary>
    public static float Scale(int headSize) => (float)(1 / Math.Sqrt(headSize));

    /// <summary>
    /// ALiBi's slopes (arXiv 2108.12409): powers of 2^(−max/n), where n is a power of two; between two of them, those of the lower one, then
    /// every other one of the higher.
    /// </summary>
    /// <param name="heads">H.</param>
    /// <param name="max">The last slope is 2^−max.</param>
    public static IReadOnlyList<float> AlibiSlopes(int heads, double max = 8)
    {
        var lower = 1;
        while (lower * 2 <= heads)
            lower *= 2;
        return [.. Enumerable.Range(0, heads).Select(head => head < lower
            ? (float)Math.Pow(2, -max * (head + 1) / lower)
            : (float)Math.Pow(2, -max * ((2 * (head - lower)) + 1) / (2 * lower)))];
    }
}

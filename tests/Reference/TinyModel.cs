using System.Runtime.InteropServices;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Reference;

/// <summary>A packed file of a small random model in a temporary folder, with its weights at hand in double precision.</summary>
public sealed class TinyModel : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("weft-tests-").FullName;

    private TinyModel(ModelDescription description) => Description = description;

    /// <summary>What it is.</summary>
    public ModelDescription Description { get; }

    /// <summary>The packed file.</summary>
    public string Path => System.IO.Path.Combine(folder, "tiny.weft");

    /// <summary>Every tensor as stored, widened.</summary>
    public Dictionary<string, double[]> Weights { get; } = [];

    /// <summary>Describes a model whose layers are all alike.</summary>
    public static ModelDescription Describe(
        int layers = 2, int hidden = 64, int heads = 4, int keyValueHeads = 2, int headSize = 16, int intermediate = 96,
        int vocabulary = 160, int context = 256, bool bias = false, int? window = null, RotaryScaling? scaling = null, bool tied = false,
        Activation activation = Activation.Silu)
    {
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = 1e-5f };
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new AttentionDescription
            {
                QueryHeads = heads,
                KeyValueHeads = keyValueHeads,
                HeadSize = headSize,
                Scale = 1 / MathF.Sqrt(headSize),
                InputBias = bias,
                OutputBias = bias,
                Window = window,
                Rotary = new RotaryDescription { Theta = 10000, Scaling = scaling },
            },
            FeedForwardNorm = norm,
            FeedForward = new FeedForwardDescription { IntermediateSize = intermediate, Activation = activation, Bias = bias },
        };
        return new ModelDescription
        {
            VocabularySize = vocabulary,
            HiddenSize = hidden,
            ContextLength = context,
            Layers = [.. Enumerable.Repeat(layer, layers)],
            FinalNorm = norm,
            Head = new HeadDescription { Tied = tied },
        };
    }

    /// <summary>Writes a model of this description with random weights of the given type; matrices keep values near one in size, times a scale.</summary>
    /// <param name="description">What it is.</param>
    /// <param name="type">Of matrices; where quantized, of those that stay numbers.</param>
    /// <param name="seed">Of the numbers.</param>
    /// <param name="scale">Of the numbers in matrices.</param>
    /// <param name="quantization">Makes the layers' matrices codes, but not those that choose experts.</param>
    /// <param name="codes">Their type.</param>
    /// <param name="unlike">By name, matrices that are not stored as the others are.</param>
    public static TinyModel Create(
        ModelDescription description, DataType type = DataType.BFloat16, int seed = 1, double scale = 1, Quantization? quantization = null, DataType codes = DataType.Int4,
        Func<string, (DataType Type, Quantization? Quantization)?>? unlike = null)
    {
        var model = new TinyModel(description);
        var requirements = TensorSchema.Of(description).ToList();
        var header = new WeftHeader
        {
            Model = description,
            Generation = new GenerationDefaults { EosTokens = [2] },
            Provenance = new Provenance { Architecture = "random", Converter = "tests", Sources = [] },
            Tensors = [.. requirements.Select(r => Entry(r, unlike?.Invoke(r.Name) ?? (r.IsVector ? DataType.Float32 : IsQuantized(r) ? codes : type, IsQuantized(r) ? quantization : null)))],
        };
        var random = new Random(seed);
        using var writer = WeftWriter.Create(model.Path, header);
        foreach (var tensor in header.Tensors)
        {
            if (tensor.Quantization is not null)
            {
                var matrix = new QuantizedMatrix(tensor.Shape[0], tensor.Shape[1], tensor.DataType, tensor.Quantization);
                model.Weights[tensor.Name] = matrix.Weights.ToArray();
                writer.Begin(tensor.Name);
                writer.Append(matrix.Bytes);
                continue;
            }

            var count = tensor.Shape.Aggregate(1, (a, b) => a * b);
            var spread = tensor.Shape.Count == 1 ? 0.2 : scale * 1.2 / Math.Sqrt(tensor.Shape[^1]);
            // Norms keep about what they get, and states forget as they go.
            var mean = tensor.Name.EndsWith("norm.weight", StringComparison.Ordinal) ? 1.0 : tensor.Name.EndsWith(".decay", StringComparison.Ordinal) ? -1.0 : 0.0;
            var (bytes, values) = Encode(Enumerable.Range(0, count).Select(_ => mean + (spread * Normal(random))), tensor.DataType);
            model.Weights[tensor.Name] = values;
            writer.Begin(tensor.Name);
            writer.Append(bytes);
        }

        writer.Complete(header);
        return model;

        static TensorEntry Entry(TensorRequirement tensor, (DataType Type, Quantization? Quantization) stored) => new(
            tensor.Name, stored.Type, stored.Quantization is null ? TensorLayout.RowMajor : TensorLayout.Tiles, tensor.Shape, 0, 0, 0, stored.Quantization);

        bool IsQuantized(TensorRequirement tensor) => quantization is not null && !tensor.IsVector && tensor.Name.StartsWith("layers.", StringComparison.Ordinal)
            && !tensor.Name.EndsWith(".router.weight", StringComparison.Ordinal) && !tensor.Name.EndsWith(".switch.weight", StringComparison.Ordinal);
    }

    /// <summary>Random tokens of its vocabulary.</summary>
    public int[] Tokens(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Description.VocabularySize))];
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>A sample of the standard normal distribution (Box–Muller).</summary>
    public static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>Rounds numbers to a type: the bytes, and what they stand for.</summary>
    public static (byte[] Bytes, double[] Values) Encode(IEnumerable<double> numbers, DataType type)
    {
        switch (type)
        {
            case DataType.Float32:
                var singles = numbers.Select(x => (float)x).ToArray();
                return (MemoryMarshal.AsBytes(singles.AsSpan()).ToArray(), [.. singles.Select(x => (double)x)]);
            case DataType.Float16:
                var halves = numbers.Select(x => (Half)x).ToArray();
                return (MemoryMarshal.AsBytes(halves.AsSpan()).ToArray(), [.. halves.Select(x => (double)x)]);
            default:
                var words = numbers.Select(x => (ushort)(BitConverter.SingleToUInt32Bits((float)x) >> 16)).ToArray();
                return (MemoryMarshal.AsBytes(words.AsSpan()).ToArray(), [.. words.Select(x => (double)BitConverter.Int32BitsToSingle(x << 16))]);
        }
    }
}

using Weft.Models;

namespace Weft.Profile.Workloads;

/// <summary>Sizes of a model that is profiled.</summary>
internal sealed record ModelShape(
    string Name, int Layers, int Hidden, int Intermediate, int QueryHeads, int KeyHeads, int HeadSize, int Vocabulary, bool Tied)
{
    private const int Context = 16384;

    /// <summary>Llama 3.2 1B and Llama 7B as released.</summary>
    public static IReadOnlyList<ModelShape> Real { get; } =
    [
        new("Llama-1B", 16, 2048, 8192, 32, 8, 64, 128256, true),
        new("Llama-7B", 32, 4096, 11008, 32, 32, 128, 32000, false),
    ];

    /// <summary>Llama 70B, whose products alone are timed.</summary>
    public static ModelShape Large { get; } = new("Llama-70B", 80, 8192, 28672, 64, 8, 128, 128256, false);

    /// <summary>Small ones for counters: with the two common head sizes, widths that are whole tiles and some that are not.</summary>
    public static IReadOnlyList<ModelShape> Counted { get; } =
    [
        new("small-64", 1, 512, 1024, 8, 2, 64, 1000, false),
        new("small-128", 1, 640, 1152, 5, 5, 128, 1003, false),
    ];

    /// <summary>The dense products of a layer and of the head: outputs and inner size.</summary>
    public IReadOnlyList<(string Name, int M, int K)> Products =>
    [
        ("qkv", (QueryHeads + (2 * KeyHeads)) * HeadSize, Hidden), ("output", Hidden, QueryHeads * HeadSize), ("gate+up", 2 * Intermediate, Hidden),
        ("down", Hidden, Intermediate), ("head", Vocabulary, Hidden),
    ];

    /// <summary>For a run that only shows that everything works.</summary>
    public static IReadOnlyList<ModelShape> Trial { get; } = [new("tiny", 2, 128, 256, 4, 2, 64, 320, false)];

    /// <summary>The model in building blocks.</summary>
    public ModelDescription Describe()
    {
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = 1e-5f };
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new AttentionDescription
            {
                QueryHeads = QueryHeads,
                KeyValueHeads = KeyHeads,
                HeadSize = HeadSize,
                Scale = 1 / MathF.Sqrt(HeadSize),
                Rotary = new RotaryDescription { Theta = 500000 },
            },
            FeedForwardNorm = norm,
            FeedForward = new FeedForwardDescription { IntermediateSize = Intermediate, Activation = Activation.Silu },
        };
        return new ModelDescription
        {
            VocabularySize = Vocabulary,
            HiddenSize = Hidden,
            ContextLength = Context,
            Layers = [.. Enumerable.Repeat(layer, Layers)],
            FinalNorm = norm,
            Head = new HeadDescription { Tied = Tied },
        };
    }
}

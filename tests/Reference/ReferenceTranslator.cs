using Weft.Models;

namespace Weft.Reference;

/// <summary>
/// fairseq's encoder-decoders by their papers and releases, in the release's tensors and nothing of the runtime's: BART (arXiv 1910.13461), mBART (arXiv 2001.08210),
/// M2M-100 (arXiv 2010.11125), NLLB-200 with and without experts (arXiv 2207.04672), and what was made of them.
/// </summary>
public sealed record ReferenceTranslator
{
    private const double Epsilon = 1e-5;

    /// <summary>Its name in a config.</summary>
    public required string Architecture { get; init; }

    /// <summary>V.</summary>
    public int Vocabulary { get; init; } = 61;

    /// <summary>C.</summary>
    public int Hidden { get; init; } = 48;

    /// <summary>Heads of the encoder and of the decoder.</summary>
    public (int Encoder, int Decoder) Heads { get; init; } = (4, 3);

    /// <summary>Layers of the encoder and of the decoder.</summary>
    public (int Encoder, int Decoder) Layers { get; init; } = (2, 3);

    /// <summary>F.</summary>
    public int Inner { get; init; } = 56;

    /// <summary>Norms before the blocks and after the last layer; otherwise after the sums.</summary>
    public bool NormsFirst { get; init; }

    /// <summary>The embedding is normed.</summary>
    public bool NormsEmbedding { get; init; }

    /// <summary>There are norms after the last layers; null: where norms are first.</summary>
    public bool? FinalNorms { get; init; }

    /// <summary>Something is added to the logits.</summary>
    public bool HeadBias { get; init; }

    /// <summary>Embeddings are multiplied by √C.</summary>
    public bool Scaled { get; init; }

    /// <summary>The nonlinearity.</summary>
    public Activation Activation { get; init; } = Activation.Gelu;

    /// <summary>Positions are learned; otherwise sines and cosines.</summary>
    public bool LearnedPositions { get; init; }

    /// <summary>Position of the first token: the row of the learned table, or where the sines begin.</summary>
    public int FirstPosition { get; init; }

    /// <summary>The last frequency of the sines is 1/10000; otherwise the one after it would be.</summary>
    public bool ReachesLast { get; init; } = true;

    /// <summary>How many experts the mixtures have; 0 for none.</summary>
    public int Experts { get; init; }

    /// <summary>Every so many layers have a mixture.</summary>
    public int SparseStep { get; init; } = 2;

    /// <summary>The share of experts' results that training dropped.</summary>
    public double Dropout { get; init; }

    /// <summary>The logits [N, V] of the decoder's <paramref name="tokens"/>.</summary>
    public double[] Logits(IReadOnlyDictionary<string, double[]> tensors, int[] source, int[] tokens)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var run = new Run(this, tensors);
        var read = run.Stack("encoder", source, []);
        var x = run.Stack("decoder", tokens, read);
        return ReferenceLinear.Apply(x, tensors["model.shared.weight"], HeadBias ? tensors["final_logits_bias"] : [], Hidden);
    }

    /// <summary>Names and shapes of a checkpoint.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        yield return ("model.shared.weight", [Vocabulary, Hidden]);
        if (HeadBias)
            yield return ("final_logits_bias", [1, Vocabulary]);
        foreach (var (stack, layers) in new[] { ("encoder", Layers.Encoder), ("decoder", Layers.Decoder) })
        {
            if (LearnedPositions)
                yield return ($"model.{stack}.embed_positions.weight", [128 + FirstPosition, Hidden]);
            List<(string Name, int Rows, int Columns)> modules = [];
            if (NormsEmbedding)
                modules.Add(($"model.{stack}.layernorm_embedding", Hidden, 0));
            if (FinalNorms ?? NormsFirst)
                modules.Add(($"model.{stack}.layer_norm", Hidden, 0));
            for (var i = 0; i < layers; i++)
            {
                var layer = $"model.{stack}.layers.{i}.";
                foreach (var attention in stack == "encoder" ? ["self_attn"] : (string[])["self_attn", CrossAttention])
                {
                    modules.Add(($"{layer}{attention}_layer_norm", Hidden, 0));
                    modules.AddRange(new[] { "q", "k", "v", "out" }.Select(name => ($"{layer}{attention}.{name}_proj", Hidden, Hidden)));
                }

                modules.Add((layer + FeedForwardNorm, Hidden, 0));
                var blocks = HasExperts(i) ? Enumerable.Range(0, Experts).Select(expert => $"ffn.experts.expert_{expert}.") : [Experts > 0 ? "ffn." : ""];
                foreach (var block in blocks)
                    modules.AddRange([($"{layer}{block}fc1", Inner, Hidden), ($"{layer}{block}fc2", Hidden, Inner)]);
                if (HasExperts(i))
                    yield return (layer + "ffn.router.classifier.weight", [Experts, Hidden]);
            }

            foreach (var (name, rows, columns) in modules)
            {
                yield return (name + ".weight", columns == 0 ? [rows] : [rows, columns]);
                yield return (name + ".bias", [rows]);
            }
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Architecture;

    private string CrossAttention => Experts > 0 ? "cross_attention" : "encoder_attn";

    private string FeedForwardNorm => Experts > 0 ? "ff_layer_norm" : "final_layer_norm";

    private bool HasExperts(int layer) => Experts > 0 && (layer + 1) % SparseStep == 0;

    private sealed class Run(ReferenceTranslator model, IReadOnlyDictionary<string, double[]> tensors)
    {
        public double[] Stack(string stack, int[] tokens, double[] source)
        {
            var isEncoder = stack == "encoder";
            var (heads, layers) = isEncoder ? (model.Heads.Encoder, model.Layers.Encoder) : (model.Heads.Decoder, model.Layers.Decoder);
            var x = Embed(stack, tokens);
            if (model.NormsEmbedding)
                x = Norm(x, $"model.{stack}.layernorm_embedding");
            for (var i = 0; i < layers; i++)
            {
                var layer = $"model.{stack}.layers.{i}.";
                x = Branch(x, layer + "self_attn_layer_norm", y => Attention(y, y, layer + "self_attn.", heads, isCausal: !isEncoder));
                if (!isEncoder)
                    x = Branch(x, $"{layer}{model.CrossAttention}_layer_norm", y => Attention(y, source, $"{layer}{model.CrossAttention}.", heads, isCausal: false));
                var sparse = model.HasExperts(i);
                x = Branch(x, layer + model.FeedForwardNorm, y => sparse ? Mixture(y, layer + "ffn.") : FeedForward(y, layer + (model.Experts > 0 ? "ffn." : "")));
            }

            return model.FinalNorms ?? model.NormsFirst ? Norm(x, $"model.{stack}.layer_norm") : x;
        }

        private double[] Branch(double[] x, string norm, Func<double[], double[]> block) => model.NormsFirst
            ? Sum(x, block(Norm(x, norm)))
            : Norm(Sum(x, block(x)), norm);

        private double[] Embed(string stack, int[] tokens)
        {
            var (c, half) = (model.Hidden, model.Hidden / 2);
            var x = new double[tokens.Length * c];
            for (var i = 0; i < x.Length; i++)
            {
                var (n, column) = (i / c, i % c);
                var position = n + model.FirstPosition;
                var turn = position * Math.Pow(10000, -(column % half) / (half - (model.ReachesLast ? 1.0 : 0)));
                var placed = model.LearnedPositions ? tensors[$"model.{stack}.embed_positions.weight"][(position * c) + column] : column < half ? Math.Sin(turn) : Math.Cos(turn);
                x[i] = (tensors["model.shared.weight"][(tokens[n] * c) + column] * (model.Scaled ? Math.Sqrt(c) : 1)) + placed;
            }

            return x;
        }

        private double[] Attention(double[] x, double[] seen, string name, int heads, bool isCausal)
        {
            var (q, k, v) = (Linear(x, name + "q_proj"), Linear(seen, name + "k_proj"), Linear(seen, name + "v_proj"));
            var (c, size, result) = (model.Hidden, model.Hidden / heads, new double[x.Length]);
            for (var n = 0; n < x.Length / c; n++)
            {
                for (var start = 0; start < c; start += size)
                {
                    var weights = Enumerable.Range(0, isCausal ? n + 1 : seen.Length / c)
                        .Select(t => Enumerable.Range(start, size).Sum(d => q[(n * c) + d] * k[(t * c) + d]) / Math.Sqrt(size)).ToArray();
                    ReferenceAttention.Softmax(weights);
                    for (var d = start; d < start + size; d++)
                        result[(n * c) + d] = weights.Select((weight, t) => weight * v[(t * c) + d]).Sum();
                }
            }

            return Linear(result, name + "out_proj");
        }

        private double[] FeedForward(double[] x, string name) =>
            Linear(Array.ConvertAll(Linear(x, name + "fc1"), y => ReferenceActivation.Apply(model.Activation, y)), name + "fc2");

        /// <summary>The two most probable experts, their probabilities scaled to a sum of one.</summary>
        private double[] Mixture(double[] x, string name)
        {
            var c = model.Hidden;
            var result = new double[x.Length];
            for (var n = 0; n < x.Length / c; n++)
            {
                var row = x[(n * c)..((n + 1) * c)];
                var scores = ReferenceLinear.Apply(row, tensors[name + "router.classifier.weight"], [], c);
                ReferenceAttention.Softmax(scores);
                var best = Enumerable.Range(0, model.Experts).OrderByDescending(expert => scores[expert]).Take(2).ToArray();
                foreach (var expert in best)
                {
                    var given = FeedForward(row, $"{name}experts.expert_{expert}.");
                    for (var i = 0; i < c; i++)
                        result[(n * c) + i] += (1 - model.Dropout) * scores[expert] / best.Sum(chosen => scores[chosen]) * given[i];
                }
            }

            return result;
        }

        private double[] Linear(double[] x, string name) =>
            ReferenceLinear.Apply(x, tensors[name + ".weight"], tensors[name + ".bias"], tensors[name + ".weight"].Length / tensors[name + ".bias"].Length);

        private double[] Norm(double[] x, string name) => ReferenceNorm.Layer(x, tensors[name + ".weight"], tensors[name + ".bias"], Epsilon);

        private static double[] Sum(double[] x, double[] y) => [.. x.Zip(y, (a, b) => a + b)];
    }
}

using Weft.Models;

namespace Weft.Reference;

/// <summary>A whole model, one sequence from position 0, without a cache: the definition that backends are tested against.</summary>
/// <param name="model">What to compute.</param>
/// <param name="tensors">Every tensor that <see cref="TensorSchema"/> asks for, row-major.</param>
public sealed class ReferenceDecoder(ModelDescription model, IReadOnlyDictionary<string, double[]> tensors)
{
    /// <summary>The logits [N, V] of <paramref name="tokens"/> [N].</summary>
    public double[] Logits(ReadOnlySpan<int> tokens) =>
        ReferenceLinear.Apply(Hidden(tokens), tensors[model.Head.Tied ? TensorSchema.Embedding : TensorSchema.Head], [], model.HiddenSize);

    /// <summary>What the head reads [N, C] of <paramref name="tokens"/> [N].</summary>
    public double[] Hidden(ReadOnlySpan<int> tokens)
    {
        var c = model.HiddenSize;
        var positions = Enumerable.Range(0, tokens.Length).ToArray();
        var x = new double[tokens.Length * c];
        for (var n = 0; n < tokens.Length; n++)
            tensors[TensorSchema.Embedding].AsSpan(tokens[n] * c, c).CopyTo(x.AsSpan(n * c));

        for (var i = 0; i < model.Layers.Count; i++)
        {
            var (layer, prefix) = (model.Layers[i], TensorSchema.Layer(i));
            Add(x, Attention(Norm(x, prefix + "attention_norm.weight", layer.AttentionNorm), positions, layer.Attention, prefix + "attention."));
            Add(x, FeedForward(Norm(x, prefix + "feed_forward_norm.weight", layer.FeedForwardNorm), layer.FeedForward, prefix + "feed_forward."));
        }

        return Norm(x, TensorSchema.FinalNorm, model.FinalNorm);
    }

    private double[] Attention(double[] x, int[] positions, AttentionDescription attention, string prefix)
    {
        var q = Linear(x, prefix + "query", model.HiddenSize, attention.InputBias);
        var k = Linear(x, prefix + "key", model.HiddenSize, attention.InputBias);
        var v = Linear(x, prefix + "value", model.HiddenSize, attention.InputBias);
        ReferenceRotary.Apply(q, positions, attention.Rotary, attention.HeadSize);
        ReferenceRotary.Apply(k, positions, attention.Rotary, attention.HeadSize);
        var mixed = ReferenceAttention.Apply(q, k, v, positions, attention);
        return Linear(mixed, prefix + "output", attention.QueryHeads * attention.HeadSize, attention.OutputBias);
    }

    private double[] FeedForward(double[] x, FeedForwardDescription block, string prefix)
    {
        var gate = Linear(x, prefix + "gate", model.HiddenSize, block.Bias);
        var up = Linear(x, prefix + "up", model.HiddenSize, block.Bias);
        for (var i = 0; i < gate.Length; i++)
            gate[i] = ReferenceActivation.Apply(block.Activation, gate[i]) * up[i];
        return Linear(gate, prefix + "down", block.IntermediateSize, block.Bias);
    }

    private double[] Norm(double[] x, string weight, NormDescription norm) => ReferenceNorm.Rms(x, tensors[weight], norm.Epsilon);

    private double[] Linear(double[] x, string name, int inputs, bool bias) =>
        ReferenceLinear.Apply(x, tensors[name + ".weight"], bias ? tensors[name + ".bias"] : [], inputs);

    private static void Add(double[] x, double[] y)
    {
        for (var i = 0; i < x.Length; i++)
            x[i] += y[i];
    }
}

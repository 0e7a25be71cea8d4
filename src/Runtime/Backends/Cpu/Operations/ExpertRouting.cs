using System.Numerics.Tensors;
using Weft.Backends.Cpu.MatMul;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary>
/// Which experts the step's tokens go through. An assignment is one expert of one token; assignments are sorted by expert, so that each expert multiplies its tokens at
/// once, and within an expert by token.
/// </summary>
internal sealed unsafe class ExpertRouting : IDisposable
{
    private readonly ExpertsDescription experts;
    private readonly NativeBuffer inputs;
    private readonly NativeBuffer hidden;
    private readonly NativeBuffer outputs;
    private readonly NativeBuffer packed;
    private readonly float[] scores;
    private readonly float[] keys; // scores as they count for choosing; those that are chosen or cannot be are negative infinity
    private readonly float[] groupKeys;
    private readonly int[] chosen; // [N, Active] experts
    private readonly int[] cursors;

    public ExpertRouting(FeedForwardDescription block, int width, int maxTokens)
    {
        experts = block.Experts!;
        Width = width;
        HiddenWidth = (block.Plain ? 1 : 2) * block.IntermediateSize;
        var most = (long)maxTokens * experts.Active;
        inputs = new NativeBuffer(most * width * sizeof(float));
        hidden = new NativeBuffer(most * HiddenWidth * sizeof(float));
        outputs = new NativeBuffer(most * width * sizeof(float));
        PackedStride = MatMulKernel.PackedFloats(Math.Max(width, block.IntermediateSize));
        packed = new NativeBuffer((long)experts.Count * PackedStride * sizeof(float));
        scores = new float[experts.Count];
        keys = new float[experts.Count];
        groupKeys = new float[experts.Groups?.Count ?? 0];
        chosen = new int[most];
        cursors = new int[experts.Count];
        Starts = new int[experts.Count + 1];
        Places = new int[most];
        Weights = new float[most];
    }

    /// <summary>C.</summary>
    public int Width { get; }

    /// <summary>2F, gate and up side by side, or F where there is no gate.</summary>
    public int HiddenWidth { get; }

    /// <summary>Floats from an expert's packed activations to the next one's.</summary>
    public int PackedStride { get; }

    /// <summary>Assignments of a token.</summary>
    public int Active => experts.Active;

    /// <summary>[E + 1] where each expert's assignments begin.</summary>
    public int[] Starts { get; }

    /// <summary>[N, Active] where a token's assignments lie.</summary>
    public int[] Places { get; }

    /// <summary>[N, Active] factors of the experts' results.</summary>
    public float[] Weights { get; }

    /// <summary>[assignments, C] what the experts read.</summary>
    public float* Inputs => (float*)inputs.Address;

    /// <summary>[assignments, 2F].</summary>
    public float* Hidden => (float*)hidden.Address;

    /// <summary>[assignments, C] what the experts give.</summary>
    public float* Outputs => (float*)outputs.Address;

    /// <summary>Packed activations of one expert.</summary>
    public float* Packed(int expert) => (float*)packed.Address + ((nint)expert * PackedStride);

    /// <summary>Chooses for <paramref name="tokens"/> rows of router logits [N, E] with a layer's bias [E], or null. Of equal ones the first wins.</summary>
    public void Choose(float* logits, float* bias, int tokens)
    {
        Array.Clear(Starts);
        for (var token = 0; token < tokens; token++)
        {
            Score(new(logits + ((nint)token * experts.Count), experts.Count), bias);
            var first = token * Active;
            for (var i = first; i < first + Active; i++)
            {
                var expert = chosen[i] = TakeLargest(keys);
                Weights[i] = experts.Margin is { } margin ? Among(logits[((nint)token * experts.Count) + expert], margin) : scores[expert];
                Starts[expert + 1]++;
            }

            Weigh(Weights.AsSpan(first, Active));
        }

        for (var expert = 0; expert < experts.Count; expert++)
            cursors[expert] = Starts[expert + 1] += Starts[expert];
        for (var i = (tokens * Active) - 1; i >= 0; i--)
            Places[i] = --cursors[chosen[i]];
    }

    public void Dispose()
    {
        inputs.Dispose();
        hidden.Dispose();
        outputs.Dispose();
        packed.Dispose();
    }

    private static int TakeLargest(Span<float> values)
    {
        var index = TensorPrimitives.IndexOfMax<float>(values);
        values[index] = float.NegativeInfinity;
        return index;
    }

    private void Score(ReadOnlySpan<float> logits, float* bias)
    {
        if (experts.Margin is not null)
        {
            logits.CopyTo(keys);
            return;
        }

        if (experts.Score == RouterScore.Softmax)
            TensorPrimitives.SoftMax(logits, scores);
        else
            TensorPrimitives.Sigmoid(logits, scores);
        scores.CopyTo(keys, 0);
        if (bias != null)
            TensorPrimitives.Add(keys, new ReadOnlySpan<float>(bias, keys.Length), keys);
        if (experts.Groups is { } groups)
            KeepGroups(groups);
    }

    /// <summary>A softmax over the expert that was chosen last and those left whose logits are near its own.</summary>
    private float Among(float own, float margin)
    {
        var sum = 1f;
        foreach (var logit in keys)
        {
            if (!float.IsNegativeInfinity(logit) && !((own - logit) / Math.Max(Math.Abs(logit), own) > margin))
                sum += MathF.Exp(logit - own);
        }

        return 1 / sum;
    }

    /// <summary>Leaves keys of the best groups alone.</summary>
    private void KeepGroups(ExpertGroupsDescription groups)
    {
        var size = experts.Count / groups.Count;
        Span<float> group = stackalloc float[size];
        for (var i = 0; i < groups.Count; i++)
        {
            keys.AsSpan(i * size, size).CopyTo(group);
            groupKeys[i] = 0;
            for (var leading = 0; leading < groups.Leading; leading++)
                groupKeys[i] += keys[(i * size) + TakeLargest(group)];
        }

        for (var i = 0; i < groups.Active; i++)
            _ = TakeLargest(groupKeys);
        for (var i = 0; i < groups.Count; i++)
        {
            if (!float.IsNegativeInfinity(groupKeys[i]))
                keys.AsSpan(i * size, size).Fill(float.NegativeInfinity);
        }
    }

    private void Weigh(Span<float> weights)
    {
        // Sigmoids of very low logits can all be zero.
        const float Least = 1e-20f;
        if (experts.Normalized)
            TensorPrimitives.Divide(weights, TensorPrimitives.Sum<float>(weights) + Least, weights);
        if (experts.Scale is { } scale)
            TensorPrimitives.Multiply(weights, scale, weights);
    }
}

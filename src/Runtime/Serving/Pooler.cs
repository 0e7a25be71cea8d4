using System.Numerics.Tensors;
using Weft.Models;

namespace Weft.Serving;

/// <summary>Makes an embedding of hidden states: each through the model's final norm, then pooled, then of length one.</summary>
/// <param name="pooling">How.</param>
/// <param name="norm">The final norm; null for none.</param>
internal sealed class Pooler(Pooling pooling, HiddenNorm? norm)
{
    private double[]? sum;

    /// <summary>Tokens taken in.</summary>
    public int Count { get; private set; }

    /// <summary>How the states become an embedding.</summary>
    public Pooling Pooling => pooling;

    /// <summary>Takes in the hidden state [C] of the next token.</summary>
    public void Add(ReadOnlySpan<float> hidden)
    {
        sum ??= new double[hidden.Length];
        Count++;
        if (norm is not null)
            norm.AddTo(sum, hidden);
        else
            TensorPrimitives.Add<double>(sum, Array.ConvertAll(hidden.ToArray(), x => (double)x), sum);
    }

    /// <summary>The embedding [C], of length one.</summary>
    public float[] Result()
    {
        // The length takes the number of tokens out, too.
        var length = Math.Sqrt(sum!.Sum(x => x * x));
        return Array.ConvertAll(sum!, x => length > 0 ? (float)(x / length) : 0f);
    }
}

/// <summary>A model's final norm on the host: the devices apply it inside the head's product and keep no result of it.</summary>
/// <param name="description">Which formula.</param>
/// <param name="weight">[C], or null.</param>
/// <param name="bias">[C], or null.</param>
internal sealed class HiddenNorm(NormDescription description, float[]? weight, float[]? bias)
{
    /// <summary>Adds the normalised <paramref name="x"/> [C] to a sum, in double precision.</summary>
    public void AddTo(double[] sum, ReadOnlySpan<float> x)
    {
        var mean = 0.0;
        foreach (var value in x)
            mean += description.Kind == NormKind.Layer ? value / (double)x.Length : 0;
        var squares = 0.0;
        foreach (var value in x)
            squares += (value - mean) * (value - mean);
        var scale = 1 / Math.Sqrt((squares / x.Length) + description.Epsilon);
        for (var i = 0; i < x.Length; i++)
            sum[i] += ((x[i] - mean) * scale * (weight?[i] ?? 1)) + (bias?[i] ?? 0);
    }
}

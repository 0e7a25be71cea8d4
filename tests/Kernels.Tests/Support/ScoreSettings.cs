using Weft.Backends.Cuda.Kernels;
using Weft.Reference;

namespace Weft.Kernels.Tests.Support;

/// <summary>What an attention variant needs beside queries and keys, with the plain definition of the whole.</summary>
internal sealed record ScoreSettings(AttentionVariant Variant, int Heads, int HeadSize, float Scale, int Window, float SoftCap, int MaxDistance)
{
    public int[] PrefixLengths { get; private init; } = [];

    public float[] Slopes { get; private init; } = [];

    public float[] Sinks { get; private init; } = [];

    public float[] DistanceBias { get; private init; } = [];

    public static ScoreSettings Random(Random random, int heads, int sequences, int headSize, AttentionVariant variant)
    {
        const int MaxDistance = 30;
        return new(variant, heads, headSize, 0.25f / MathF.Sqrt(headSize), 50, 3, MaxDistance)
        {
            PrefixLengths = [.. Enumerable.Range(0, sequences).Select(_ => random.Next(40))],
            Slopes = [.. Enumerable.Range(0, heads).Select(head => MathF.Pow(2, -1 - head))],
            Sinks = Values.Random(random, heads),
            DistanceBias = Values.Random(random, heads * ((2 * MaxDistance) + 1)),
        };
    }

    public Uploaded Upload(TestDevice device) => new(device, this);

    /// <summary>[N, H, D] of one sequence.</summary>
    public double[] Attend(double[] q, double[] k, double[] v, int[] positions, int sequence, int groups)
    {
        var context = k.Length / groups / HeadSize;
        var result = new double[q.Length];
        for (var n = 0; n < positions.Length; n++)
        {
            for (var head = 0; head < Heads; head++)
            {
                var group = head / (Heads / groups);
                var seen = Enumerable.Range(0, context).Where(key => Sees(positions[n], key, PrefixLengths[sequence])).ToArray();
                var scores = Array.ConvertAll(seen, key => Score(
                    Dot(q.AsSpan(((n * Heads) + head) * HeadSize, HeadSize), k.AsSpan(((key * groups) + group) * HeadSize, HeadSize)), head, positions[n], key));
                double[] weights = Variant.HasFlag(AttentionVariant.Sinks) ? [.. scores, Sinks[head]] : scores;
                ReferenceAttention.Softmax(weights);
                for (var i = 0; i < seen.Length; i++)
                {
                    for (var d = 0; d < HeadSize; d++)
                        result[(((n * Heads) + head) * HeadSize) + d] += weights[i] * v[(((seen[i] * groups) + group) * HeadSize) + d];
                }
            }
        }

        return result;
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    private bool Sees(int query, int key, int prefix)
    {
        var seen = !Variant.HasFlag(AttentionVariant.Causal) || key <= query;
        if (Variant.HasFlag(AttentionVariant.Prefix))
            seen |= key < prefix;
        return seen && (!Variant.HasFlag(AttentionVariant.Window) || key > query - Window);
    }

    private double Score(double product, int head, int query, int key)
    {
        var score = product * Scale;
        if (Variant.HasFlag(AttentionVariant.SoftCap))
            score = SoftCap * Math.Tanh(score / SoftCap);
        if (Variant.HasFlag(AttentionVariant.Alibi))
            score += Slopes[head] * (key - query);
        if (Variant.HasFlag(AttentionVariant.Distances))
            score += DistanceBias[(head * ((2 * MaxDistance) + 1)) + Math.Clamp(key - query, -MaxDistance, MaxDistance) + MaxDistance];
        return score;
    }

    /// <summary>The settings on the device.</summary>
    internal sealed class Uploaded(TestDevice device, ScoreSettings settings) : IDisposable
    {
        private readonly DeviceArray<int> prefixes = device.Upload(settings.PrefixLengths);
        private readonly DeviceArray<float> slopes = device.Upload(settings.Slopes);
        private readonly DeviceArray<float> sinks = device.Upload(settings.Sinks);
        private readonly DeviceArray<float> bias = device.Upload(settings.DistanceBias);

        public ScoreParams Parameters => new()
        {
            PrefixLengths = prefixes.Address,
            Slopes = slopes.Address,
            Sinks = sinks.Address,
            DistanceBias = bias.Address,
            Scale = settings.Scale,
            SoftCap = settings.SoftCap,
            Window = settings.Window,
            MaxDistance = settings.MaxDistance,
        };

        public void Dispose()
        {
            prefixes.Dispose();
            slopes.Dispose();
            sinks.Dispose();
            bias.Dispose();
        }
    }
}

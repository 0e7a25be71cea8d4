using System.Globalization;
using Weft.Graph;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Profile.Model;

/// <summary>What a node of a graph must at least move and compute in a step.</summary>
/// <param name="Name">For people: <c>layer 3 query+key+value</c>.</param>
/// <param name="Kind">The same without its layer.</param>
/// <param name="Bytes">Weights, cache, and values read and written, once each.</param>
/// <param name="Operations">Floating-point operations.</param>
internal sealed record NodeWork(string Name, string Kind, double Bytes, double Operations)
{
    /// <summary>Of drawing the tokens.</summary>
    public static NodeWork Drawing(int rows, int vocabulary) => new("draw", "draw", (double)rows * vocabulary * sizeof(float), 0);

    /// <summary>Counts a node.</summary>
    /// <param name="node">Which.</param>
    /// <param name="find">Weights by name.</param>
    /// <param name="step">The step.</param>
    public static NodeWork Of(Node node, Func<string, TensorEntry> find, StepSize step)
    {
        double Values(params IEnumerable<Value> values) =>
            values.Sum(value => (double)step.Rows(value) * value.Width * step.ActivationBytes);

        return node switch
        {
            EmbeddingNode n => new("embedding", "embedding", Values(n.Y, n.Y), 0),
            NormNode n => Named(n.Name + ".weight", Values(n.X, n.Y), 0),
            FusedLinearNode n => Linear(n, find, step, Values(n.X, Result(n))),
            ExpertsNode n => Experts(n, find, step, Values(n.Router, n.X, n.Y)),
            NormedLinearNode n => Linear(n.Linear, find, step, Values(n.Norm.X, Result(n.Linear))),
            RotaryCacheWriteNode n => At(n.Cache, "rotary, cache write", Values(n.QueriesKeysValues, n.QueriesKeysValues), 0),
            HeadLinearNode n => HeadLinear(n, find, step, Values(n.X, n.Y)),
            AttentionNode n => Attention(n, step, Values(n.Queries, n.Y)),
            // They are a text's first tokens.
            VirtualRowsNode n => new("virtual rows", "virtual rows", step.Before > 0 ? 0 : 2.0 * step.Sequences * n.Count * n.X.Width * step.ActivationBytes, 0),
            VirtualKeysNode n => At(n.Cache, "virtual keys", step.Before > 0 ? 0 : 2.0 * step.Sequences * n.Count * n.Attention.CacheSize * step.CacheBytes, 0),
            GatherRowsNode n => new("gather rows", "gather rows", Values(n.Y, n.Y), 0),
            // Both halves are read and one is written.
            GateHalvesNode n => new("gate halves", "gate halves", 1.5 * Values(n.Y), 0),
            // Element by element: what it reads and what it writes.
            _ => new(Words(node), Words(node), Values([.. node.Inputs, .. node.Outputs]), 0),
        };
    }

    private static NodeWork Linear(FusedLinearNode node, Func<string, TensorEntry> find, StepSize step, double values)
    {
        var tensors = node.Segments.Select(segment => find(segment.Weight)).ToList();
        var rows = step.Rows(node.X);
        var names = string.Join('+', tensors.Select(tensor => tensor.Name.Split('.')[^2]));
        var work = Named(
            tensors[0].Name, tensors.Sum(tensor => (double)tensor.Length) + values, 2.0 * rows * tensors.Sum(tensor => (double)tensor.Shape[0] * tensor.Shape[1]));
        return tensors.Count == 1 ? work : work with { Name = work.Name.Replace(work.Kind, names, StringComparison.Ordinal), Kind = names };
    }

    // Its columns of y alone.
    private static Value Result(FusedLinearNode node) => node.Y with { Width = node.Segments.Sum(segment => segment.Rows) };

    private static NodeWork HeadLinear(HeadLinearNode node, Func<string, TensorEntry> find, StepSize step, double values)
    {
        var tensor = find(node.Weight);
        return Named(node.Weight, tensor.Length + values, 2.0 * step.Tokens * tensor.Shape.Aggregate(1.0, (product, size) => product * size));
    }

    private static NodeWork Attention(AttentionNode node, StepSize step, double values)
    {
        var attention = node.Attention;
        // A sequence's cache is read once, as far as its window reaches; a query sees the positions up to its own, or all of a source.
        var window = attention.Window ?? int.MaxValue;
        var (kind, read, seen) = node.Mask switch
        {
            AttentionMask.Full => ("encoder attention", step.SourceTokens, (double)step.SourceTokens * step.SourceTokens),
            AttentionMask.Source => ("attention to source", step.SourceTokens, (double)step.TokensEach * step.SourceTokens),
            _ => ("attention", Math.Min(step.Before, window - 1) + step.TokensEach,
                Enumerable.Range(step.Before + 1, step.TokensEach).Sum(position => (double)Math.Min(position, window))),
        };
        var cache = (double)step.Sequences * read * attention.CacheSize * step.CacheBytes;
        return At(node.Cache, kind, cache + values, 4.0 * step.Sequences * seen * attention.QueryHeads * attention.HeadSize);
    }

    /// <summary>The weights of as many experts as the step's tokens can reach, once each.</summary>
    private static NodeWork Experts(ExpertsNode node, Func<string, TensorEntry> find, StepSize step, double values)
    {
        var experts = node.FeedForward.Experts!;
        string[] names = node.FeedForward.Plain ? ["up", "down"] : ["gate", "up", "down"];
        var tensors = names.Select(name => find($"{node.Name}{name}.weight")).ToList();
        var reached = Math.Min(experts.Count, step.Tokens * experts.Active) / (double)experts.Count;
        var elements = tensors.Sum(tensor => (double)tensor.Shape[0] * tensor.Shape[1]) / experts.Count;
        return Named($"{node.Name}experts.weight", (tensors.Sum(tensor => (double)tensor.Length) * reached) + values, 2.0 * step.Tokens * experts.Active * elements);
    }

    // AddPositionsNode → add positions
    private static string Words(Node node) =>
        string.Concat(node.GetType().Name[..^"Node".Length].Select((letter, i) => char.IsUpper(letter) && i > 0 ? $" {char.ToLowerInvariant(letter)}" : $"{char.ToLowerInvariant(letter)}"));

    // layers.3.attention.output.weight → layer 3 output
    private static NodeWork Named(string tensor, double bytes, double operations)
    {
        var parts = tensor.Split('.');
        // A product with the embedding is the head of a model that ties the two.
        var kind = tensor == TensorSchema.Embedding ? "head" : parts[^2].Replace('_', ' ');
        if (tensor.StartsWith(TensorSchema.Encoder, StringComparison.Ordinal))
            return new($"encoder {string.Join(' ', parts[1..^1])}", $"encoder {kind}", bytes, operations);
        return parts[0] == "layers" ? At(int.Parse(parts[1], CultureInfo.InvariantCulture), kind, bytes, operations) : new(kind, kind, bytes, operations);
    }

    private static NodeWork At(int layer, string kind, double bytes, double operations) =>
        new(string.Create(CultureInfo.InvariantCulture, $"layer {layer} {kind}"), kind, bytes, operations);
}

/// <summary>The size of a step.</summary>
/// <param name="Sequences">How many.</param>
/// <param name="TokensEach">Of each, in the step.</param>
/// <param name="Before">Positions of each that the cache holds before it.</param>
/// <param name="LogitRows">Rows of logits.</param>
/// <param name="ActivationBytes">Of an element of a value.</param>
/// <param name="CacheBytes">Of an element of the cache.</param>
/// <param name="SourceTokens">Of the source of each; 0 without an encoder.</param>
/// <param name="Encodes">The step encodes the sources.</param>
internal readonly record struct StepSize(
    int Sequences, int TokensEach, int Before, int LogitRows, int ActivationBytes, int CacheBytes, int SourceTokens = 0, bool Encodes = false)
{
    /// <summary>Rows of a value in the step.</summary>
    public int Rows(Value value) => value.Rows switch
    {
        Graph.Rows.Tokens => Tokens,
        Graph.Rows.Source => Encodes ? Sequences * SourceTokens : 0,
        _ => LogitRows,
    };

    /// <summary>Tokens of the step.</summary>
    public int Tokens => Sequences * TokensEach;
}

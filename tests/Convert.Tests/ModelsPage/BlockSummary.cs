using System.Collections;
using System.Reflection;
using System.Text.RegularExpressions;
using Weft.Models;

namespace Weft.Convert.Tests.ModelsPage;

/// <summary>
/// The building blocks of a family in a few words. Whatever its descriptions use is named: members that this file has no words for are called
/// as they are written, so that a new block shows up by itself.
/// </summary>
internal sealed partial class BlockSummary
{
    // In the order in which the page has them; members without words are sizes, or follow from another one.
    private static readonly (string Member, string Words)[] Words =
    [
        ("Encoder", "encoder"), ("Encoder.StartTokens", ""), ("Layers.CrossAttention", ""), ("Layers.CrossAttentionNorm", ""), ("Layers.CrossAttentionSumNorm", ""),
        ("CrossAttention.InputBias", ""), ("CrossAttention.OutputBias", ""),
        ("Embedding", ""), ("Embedding.Scale", "scaled embedding"), ("Embedding.Width", "projected embedding"), ("Embedding.Positions", "position table"),
        ("Embedding.Norm", "norm after the embedding"),
        ("Kind=Rms", "RMSNorm"), ("Kind=Layer", "LayerNorm"), ("Norm.Bias", ""), ("Norm.Weightless", "norms without weights"),
        ("Layers.AttentionNorm", "norms before branches"), ("Layers.AttentionOutputNorm", "norms after branches"), ("Layers.AttentionSumNorm", "norms after sums"),
        ("Layers.FeedForwardNorm", ""), ("Layers.FeedForwardOutputNorm", ""), ("Layers.FeedForwardSumNorm", ""), ("FinalNorm", ""),
        ("Layers.ResidualScale", "DeepNorm"), ("Layers.NormedResidual", "sums with what is normed"), ("Layers.Parallel", "parallel branches"),
        ("Layers.Attention", ""), ("Heads=Own", "multi-head attention"), ("Heads=Shared", "shared key/value heads"), ("Heads=ByLayer", "head counts by layer"), ("Attention.InputBias", "bias on queries, keys and values"), ("Attention.OutputBias", ""),
        ("Attention.Window", "sliding window"), ("Attention.Clip", "clamped queries, keys and values"), ("Attention.QueryKeyNorm", "query and key norm"),
        ("QueryKeyNorm.Norm", ""), ("QueryKeyNorm.AcrossHeads", "across heads"), ("QueryKeyNorm.AfterTurning", "after turning"),
        ("Attention.Rotary", "rotary"), ("Rotary.Size", "of a part of each head"), ("Rotary.Scaling", ""), ("Scaling.Divisors", ""),
        ("Kind=Linear", "linear scaling"), ("Kind=Llama3", "llama3 scaling"), ("Kind=Yarn", "YaRN"), ("Kind=LongRope", "LongRoPE"),
        ("Rotary.Decay", "xPos"), ("Kind=Dynamic", "dynamic scaling"), ("Kind=DynamicSteps", "dynamic NTK scaling"), ("Attention.LogScaleFrom", "log-n scaling"),
        ("Attention.Latent", "latent attention"), ("Latent.Norm", ""), ("Latent.QueryRank", ""),
        ("Attention.AlibiSlopes", "ALiBi"), ("Attention.BiasDistance", "bias by distance"), ("Attention.SoftCap", "capped scores"), ("Attention.Sinks", "sinks"),
        ("Layers.FeedForward", ""), ("FeedForward.Plain", ""), ("Gate=True", "gated feed-forward"), ("Gate=False", "plain feed-forward"),
        ("Activation=Silu", "SiLU"), ("Activation=Gelu", "GELU"), ("Activation=GeluTanh", "GELU (tanh)"), ("Activation=Relu", "ReLU"),
        ("Activation=ReluSquared", "squared ReLU"), ("Activation=QuickGelu", "quick GELU"), ("FeedForward.Bias", ""),
        ("FeedForward.Experts", "mixture of experts"), ("Experts.SharedSize", "shared expert"), ("Experts.SharedSwitch", ""), ("Experts.Normalized", ""), ("Experts.Margin", "weighed within a margin"), ("Experts.RouterBias", ""), ("Experts.SelectionBias", ""), ("Score=Softmax", ""),
        ("StateSpace.InputNorm", "norms of steps, B and C"),
        ("Head", ""), ("Head.Tied", "tied head"), ("Head.Bias", "head bias"), ("Head.RowScale", "normalised head"), ("Head.Scale", "scaled logits"), ("Head.SoftCap", "capped logits"),
    ];

    private readonly HashSet<string> members = [];
    private readonly HashSet<(int Query, int KeyValue)> heads = [];

    /// <summary>Adds a model of the family.</summary>
    public void Add(ModelDescription model)
    {
        heads.Clear();
        Walk(model, "");
        foreach (var (query, keyValue) in heads)
            members.Add(keyValue == query ? "Heads=Own" : "Heads=Shared");
        if (heads.Count > 1)
            members.Add("Heads=ByLayer");
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        var known = Words.Where(word => word.Words.Length > 0 && members.Any(member => Is(member, word.Member))).Select(word => word.Words);
        var others = members.Where(member => !Words.Any(word => Is(member, word.Member))).Select(Spoken).Order(StringComparer.Ordinal);
        return string.Join(", ", known.Concat(others).Distinct());
    }

    private static bool Is(string member, string name) => member == name || member.EndsWith("." + name, StringComparison.Ordinal)
        || (name.Split('.') is [.., var last] && name.StartsWith("Norm.", StringComparison.Ordinal) && member.EndsWith("Norm." + last, StringComparison.Ordinal));

    private static string Spoken(string member) =>
        Capital().Replace(member[(member.LastIndexOf('.') + 1)..].Replace("=", "", StringComparison.Ordinal), " $0").Trim().ToLowerInvariant();

    /// <summary>Notes which members are used: switches that are on, choices, and what may be left out and is not. Sizes every model has.</summary>
    private void Walk(object record, string prefix)
    {
        if (record is AttentionDescription attention)
            heads.Add((attention.QueryHeads, attention.KeyValueHeads));
        if (record is FeedForwardDescription feedForward)
            members.Add($"Gate={!feedForward.Plain}");
        foreach (var property in record.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetValue(record) is not { } value || value is false)
                continue;
            var name = prefix + property.Name;
            switch (value)
            {
                case Enum choice:
                    members.Add($"{name}={choice}");
                    break;
                case IEnumerable items and not string:
                    if (items.OfType<object>().FirstOrDefault() is { } first && IsDescription(first))
                        items.OfType<object>().ToList().ForEach(item => Walk(item, name + "."));
                    else
                        members.Add(name);
                    break;
                case { } when IsDescription(value):
                    members.Add(name);
                    Walk(value, name + ".");
                    break;
                case true:
                case { } when Nullable.GetUnderlyingType(property.PropertyType) is not null:
                    members.Add(name);
                    break;
            }
        }
    }

    private static bool IsDescription(object value) => value.GetType() is { IsClass: true, Namespace: "Weft.Models" };

    [GeneratedRegex("[A-Z]")]
    private static partial Regex Capital();
}

using System.Collections;
using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// GLM-130B: a prefix decoder with DeepNorm, rotary positions and a gated GELU (Zeng et al. 2022, arXiv 2210.02414; the release's glm130B_model.py). Its
/// tensors lie in parts, one for each of the processes that it was trained in.
/// </summary>
internal sealed class Glm130B : DeepNormLayout
{
    private const string Architecture = "GLM130B";

    private static readonly string[] Whole = ["layernorm.", "attention.dense.bias", "mlp.dense_4h_to_h.bias"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => [Architecture];

    /// <inheritdoc/>
    public override FamilyCard Card => new("GLM-130B (arXiv 2210.02414)", "SentencePiece Unigram (ice_text.model)");

    /// <inheritdoc/>
    public override string? ConfigOf(string folder) => File.Exists(Path.Combine(Checkpoint.PartsFolder(folder), Checkpoint.PartName(0)))
        // The release has no config; these are the arguments of its configs/model_glm_130b.sh.
        ? $$"""
        {
          "architectures": ["{{Architecture}}"], "num_layers": 70, "hidden_size": 12288, "inner_hidden_size": 32768, "vocab_size": 150528,
          "num_attention_heads": 96, "max_sequence_length": 2048, "mask_token_id": 150000, "bos_token_id": 150004, "eos_token_id": 150005
        }
        """
        : null;

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var feedForward = new FeedForwardDescription { IntermediateSize = config.Int("inner_hidden_size", 8 * config.Int("hidden_size") / 3), Activation = Activation.Gelu, Bias = true };
        var rotary = new RotaryDescription { Theta = 10000, HalfFrequencies = true };
        // After [gMASK], which ends a text, positions go on.
        var prefix = new PrefixDescription { EndToken = config.Int("bos_token_id", 150004), BlankTokens = [config.Int("mask_token_id", 150000)] };
        return Describe(config, config.Int("num_layers"), rotary, feedForward, prefix, tied: true);
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var name = SourceName(requirement.Name, model);
        var parts = new List<StoredTensor> { shelf.Take(Checkpoint.PartOf(name, 0)) };
        while (shelf.TryTake(Checkpoint.PartOf(name, parts.Count)) is { } next)
            parts.Add(next);
        return ModuleOf(requirement.Name) switch
        {
            "embedding" => new(parts),
            "attention.query" or "attention.key" or "attention.value" => new([.. parts.Select(part => Heads(part, requirement, model, parts.Count))]),
            // x · GELU(gate), the gate in second place.
            "feed_forward.up" => new([.. parts.Select(part => Half(part, 0))]),
            "feed_forward.gate" => new([.. parts.Select(part => Half(part, 1))]),
            "attention.output" or "feed_forward.down" when requirement.Shape.Count == 2 => SideBySide(parts, requirement),
            // Every process has the whole of it.
            _ => new(parts[0]),
        };
    }

    /// <inheritdoc/>
    public override bool IsIgnored(string sourceName, ModelDescription model)
    {
        // Norms and biases of what the processes add up are in every part alike; the first one's were taken.
        var end = sourceName.LastIndexOf('#');
        var name = sourceName[..Math.Max(end, 0)];
        return base.IsIgnored(name, model) || (sourceName[(end + 1)..] != "0" && Whole.Any(whole => name.Contains(whole, StringComparison.Ordinal)));
    }

    private static StoredTensor Heads(StoredTensor part, TensorRequirement requirement, ModelDescription model, int parts)
    {
        var attention = model.Layers[LayerOf(requirement.Name)].Attention!;
        if (attention.QueryHeads % parts != 0)
            throw new WeftException($"{part.File}: {attention.QueryHeads} attention heads do not lie in {parts} parts");
        var own = attention with { QueryHeads = attention.QueryHeads / parts, KeyValueHeads = attention.KeyValueHeads / parts };
        return InGroups(part, own, PartOf(requirement.Name));
    }

    private static TensorSource SideBySide(List<StoredTensor> parts, TensorRequirement requirement)
    {
        long[] own = [requirement.Shape[0], requirement.Shape[1] / parts.Count];
        return parts.FirstOrDefault(part => !part.Shape.SequenceEqual(own)) is { } odd
            ? throw new ShapeException(odd, $"{parts.Count} parts of [{string.Join(", ", own)}]")
            : new(new Columns(parts)) { FileRank = 2 };
    }

    private static StoredTensor Half(StoredTensor part, int half) => part.Narrow(0, half * (part.Shape[0] / 2), part.Shape[0] / 2);

    /// <summary>Matrices side by side: their rows by turns.</summary>
    private sealed class Columns(IReadOnlyList<StoredTensor> parts) : IReadOnlyList<StoredTensor>
    {
        public int Count => (int)parts[0].Shape[0] * parts.Count;

        public StoredTensor this[int index] => parts[index % parts.Count].Narrow(0, index / parts.Count, 1);

        public IEnumerator<StoredTensor> GetEnumerator() => Enumerable.Range(0, Count).Select(index => this[index]).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}

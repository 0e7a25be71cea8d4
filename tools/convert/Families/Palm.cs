using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// PaLM's layers as PaLM-rlhf-pytorch has them (Chowdhery et al. 2022, arXiv 2204.02311; its palm.py of 2023): both branches read one norm and are one
/// projection, queries share one key and value, what they give decays with the distance (xPos; Sun et al. 2022, arXiv 2212.10554), nothing has a bias.
/// </summary>
internal sealed class Palm : ModuleFamily
{
    private const string Architecture = "PaLM";
    private const string Fused = "layers.#.fn.fused_attn_ff_proj";

    private static readonly string[] Constants = [".beta", ".rotary_emb.inv_freq", ".rotary_emb.scale"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => [Architecture];

    /// <inheritdoc/>
    public override FamilyCard Card => new("open PaLM 150M, 410M, 1B and 2.1B (conceptofmind's release, 2023)", "byte-level BPE (GPT-NeoX)");

    /// <inheritdoc/>
    public override string? Prefix => null;

    /// <inheritdoc/>
    protected override string HeadModule => "to_logits";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "token_emb",
        ["attention_norm"] = "layers.#.fn.norm",
        ["attention.query"] = Fused,
        ["attention.query_norm"] = "layers.#.fn.q_scale",
        ["attention.key"] = Fused,
        ["attention.key_norm"] = "layers.#.fn.k_scale",
        ["attention.value"] = Fused,
        ["attention.output"] = "layers.#.fn.attn_out",
        ["feed_forward.up"] = Fused,
        ["feed_forward.gate"] = Fused,
        ["feed_forward.down"] = "layers.#.fn.ff_out.2",
        ["final_norm"] = "norm",
    };

    /// <inheritdoc/>
    public override string? ConfigOf(string folder)
    {
        // The release has no config; these are the arguments of its hubconf.py, by the name of the file.
        (string File, int Width, int Layers)[] releases =
        [
            ("palm_150m_8k_v0.pt", 768, 12), ("palm_410m_8k_v0.pt", 1024, 24), ("palm_1b_8k_v0.pt", 2048, 16), ("palm_2b_8k_v0.pt", 2560, 24),
        ];
        var release = releases.FirstOrDefault(release => File.Exists(Path.Combine(folder, release.File)));
        return release.File is null ? null : $$"""
            { "architectures": ["{{Architecture}}"], "num_tokens": 50304, "dim": {{release.Width}}, "depth": {{release.Layers}}, "dim_head": 128, "heads": 8, "eos_token_id": 0 }
            """;
    }

    /// <inheritdoc/>
    public override int? EndOf(ConfigFile config) => config.Has("eos_token_id") ? config.Int("eos_token_id") : null;

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var hidden = config.Int("dim");
        var size = config.Int("dim_head", 64);
        var context = config.Length("max_seq_len", 8192);
        var norm = new NormDescription { Kind = NormKind.Layer, Epsilon = 1e-5f };
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = config.Int("heads", 8),
                KeyValueHeads = 1,
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                // Length one, times a factor an element: a mean square with √D in the factor.
                QueryKeyNorm = config.Bool("qk_rmsnorm", false) ? new() { Norm = new() { Kind = NormKind.Rms, Epsilon = 1e-24f } } : null,
                Rotary = new() { Theta = 10000, Decay = new() { Base = config.Double("rotary_xpos_scale_base", 512), Origin = context / 2 } },
            },
            Parallel = true,
            FeedForward = new() { IntermediateSize = config.Int("ff_mult", 4) * hidden, Activation = Activation.Silu },
        };
        return new()
        {
            VocabularySize = config.Int("num_tokens"),
            HiddenSize = hidden,
            ContextLength = context,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "depth"))],
            FinalNorm = norm,
            Head = new() { Tied = true },
        };
    }

    /// <inheritdoc/>
    public override string SourceName(string packedName)
    {
        var name = base.SourceName(packedName);
        var module = name[..^".weight".Length];
        return ModuleOf(packedName) switch
        {
            "attention_norm" or "final_norm" => module + ".gamma",
            "attention.query_norm" or "attention.key_norm" => module,
            _ => name,
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var module = ModuleOf(requirement.Name);
        var stored = shelf.Take(SourceName(requirement.Name));
        if (module is "attention.query_norm" or "attention.key_norm")
        {
            var root = (float)(1 / Math.Sqrt(model.Layers[LayerOf(requirement.Name)].Attention!.HeadSize));
            return TensorSource.Repeated(stored, HeadsOf(requirement.Name, model)) with { Transform = scales => Array.ConvertAll(scales, scale => scale * root) };
        }

        return new(Modules.GetValueOrDefault(module) == Fused ? Part(stored, requirement, model.Layers[LayerOf(requirement.Name)]) : stored);
    }

    /// <inheritdoc/>
    public override bool IsIgnored(string sourceName, ModelDescription model) =>
        base.IsIgnored(sourceName, model) || Array.Exists(Constants, buffer => sourceName.EndsWith(buffer, StringComparison.Ordinal));

    /// <summary>Rows of one part of [queries; key; value; what is gated; gate].</summary>
    private static StoredTensor Part(StoredTensor fused, TensorRequirement requirement, LayerDescription layer)
    {
        var (q, kv, f) = (layer.Attention!.QueryHeads * layer.Attention.HeadSize, layer.Attention.HeadSize, layer.FeedForward!.IntermediateSize);
        var first = ModuleOf(requirement.Name) switch
        {
            "attention.query" => 0,
            "attention.key" => q,
            "attention.value" => q + kv,
            "feed_forward.up" => q + (2 * kv),
            _ => q + (2 * kv) + f,
        };
        return OfRows(fused, q + (2 * kv) + (2 * f)).Narrow(0, first, requirement.Shape[0]);
    }
}

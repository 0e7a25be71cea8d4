using System.Globalization;
using Spectre.Console;
using Weft.Convert;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Cli.Output;

/// <summary>Shows an <see cref="InspectReport"/> to people.</summary>
internal static class InspectTable
{
    /// <summary>Writes the summary and the tensor table.</summary>
    public static void Write(Terminal terminal, InspectReport report)
    {
        var model = report.Model;
        void Line(string name, FormattableString text) => terminal.Out.WriteLine($"{name,-12} {text.ToString(CultureInfo.InvariantCulture)}");

        Line("file", $"{report.Path} ({Units.Bytes(report.Bytes)}{(report.ChecksumsVerified ? ", all checksums agree" : "")})");
        Line("parameters", $"{Units.Count(report.Parameters)} ({string.Join(", ", report.BytesByDtype.Select(p => $"{Units.Bytes(p.Value)} in {p.Key}"))})");
        if (model.Encoder is { } encoder)
        {
            Line("encoder", $"{encoder.Layers.Count} layers; what is generated begins with token {string.Join(", ", encoder.StartTokens)}");
            foreach (var (layers, text) in Groups(encoder.Layers))
                Line(layers, $"{text}");
        }

        Line("model", $"{model.Layers.Count} layers, hidden size {model.HiddenSize}, vocabulary {model.VocabularySize:N0}, context {model.ContextLength:N0} tokens");
        if (model.VirtualTokens is { } tokens)
            Line("prompt", $"{tokens.Count} virtual tokens before every text, {(tokens.Keys ? "as keys and values of each layer" : "as embeddings")}");
        foreach (var (layers, text) in Groups(model.Layers))
            Line(layers, $"{text}");
        Line("head", $"{(model.Head.Tied ? "tied to the embedding" : "a matrix of its own")}, {(model.FinalNorm is { } norm ? Word(norm.Kind) : "no")} norm before it");
        Line("tokenizer", $"{report.Tokenizer ?? "none"}{(report.HasChatTemplate ? ", with a chat template" : "")}");
        Line("generation", $"{Describe(report.Generation)}");
        Line("made from", $"{report.Provenance.Architecture} by {report.Provenance.Converter}");
        foreach (var source in report.Provenance.Sources)
            Line("", $"{source.Name} ({Units.Bytes(source.Bytes)}, SHA-256 {source.Sha256[..Math.Min(12, source.Sha256.Length)]}…)");
        terminal.Out.WriteLine();

        var table = new Table().Border(TableBorder.Simple).AddColumns("tensor", "dtype", "shape");
        foreach (var heading in (string[])["offset", "bytes", "CRC-32C"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (var tensor in report.Tensors)
        {
            table.AddRow(
                new Text(ControlCharacters.Spell(tensor.Name)),
                new Text(tensor.DataType.Name()),
                new Text(string.Join(" × ", tensor.Shape)),
                new Text(tensor.Offset.ToString(CultureInfo.InvariantCulture)),
                new Text(tensor.Length.ToString(CultureInfo.InvariantCulture)),
                new Text(tensor.Checksum));
        }

        terminal.Rich.Write(table);
    }

    /// <summary>Runs of equal layers, described once.</summary>
    private static IEnumerable<(string Layers, string Text)> Groups(IReadOnlyList<LayerDescription> layers)
    {
        for (var first = 0; first < layers.Count;)
        {
            var last = first;
            while (last + 1 < layers.Count && Describe(layers[last + 1]) == Describe(layers[first]))
                last++;
            yield return ($"layer {first}–{last}", Describe(layers[first]));
            first = last + 1;
        }
    }

    private static string Describe(LayerDescription layer)
    {
        var norm = layer.AttentionNorm ?? layer.AttentionOutputNorm ?? layer.AttentionSumNorm;
        var order = layer.AttentionNorm is null ? "after" : layer.AttentionOutputNorm is null ? "before" : "before and after";
        var block = layer.FeedForward;
        var mixing = layer switch
        {
            { TimeMix: { } mix } => $"time mixing ({Word(mix.Kind)}) of {mix.Width}{(mix.HeadSize == 0 ? "" : $" in heads of {mix.HeadSize}")}",
            { StateSpace: { } space } => $"{Word(space.Kind)} state space of {space.Width} channels by {space.StateSize}, convolution of {space.Convolution}",
            { CrossAttention: not null } => $"{Describe(layer.Attention!)}, and attention to the source",
            _ => Describe(layer.Attention!),
        };
        var feedForward = block is null ? "no feed-forward" : $"{Word(block.Activation)}{(block.Plain ? "" : "-gated")} feed-forward {Experts(block)}{block.IntermediateSize}{(layer.Parallel ? " beside attention" : "")}";
        return $"{mixing}; {feedForward}; {(norm is null ? "no norm" : string.Create(CultureInfo.InvariantCulture, $"{Word(norm.Kind)} norm {order}, ε {norm.Epsilon:0.##e+0}"))}";
    }

    private static string Describe(AttentionDescription attention)
    {
        List<string> parts = [attention.Latent is { } latent
            ? $"{attention.QueryHeads} query heads of {latent.PlainSize + attention.HeadSize - latent.Rank} over a latent vector of {latent.Rank}"
            : $"{attention.QueryHeads} query and {attention.KeyValueHeads} key/value heads of {attention.HeadSize}"];
        void Add(bool isUsed, string text) => parts.AddRange(isUsed ? [text] : []);
        Add(attention.InputBias || attention.OutputBias, "with bias");
        Add(attention.Window is not null, $"window {attention.Window}");
        Add(attention.QueryKeyNorm is not null, "normed queries and keys");
        Add(attention.AlibiSlopes is not null, "ALiBi");
        Add(attention.BiasDistance is not null, $"a bias by distances up to {attention.BiasDistance}");
        Add(attention.SoftCap is not null, string.Create(CultureInfo.InvariantCulture, $"scores capped at {attention.SoftCap}"));
        Add(attention.Sinks, "sinks");
        var rotary = "no rotary";
        if (attention.Rotary is { } turn)
        {
            var size = turn.Size is { } turned ? $" of the first {turned}" : "";
            var scaling = turn.Scaling is { } s ? string.Create(CultureInfo.InvariantCulture, $", {Word(s.Kind)} scaling × {s.Factor}") : "";
            rotary = string.Create(CultureInfo.InvariantCulture, $"rotary θ {turn.Theta}{size}{scaling}");
        }

        return string.Join(", ", parts) + $"; {rotary}";
    }

    private static string Experts(FeedForwardDescription block) => block.Experts switch
    {
        null => "",
        { SharedSize: { } size } experts => $"{experts.Active} of {experts.Count} experts and one of {size} for all, each ",
        var experts => $"{experts.Active} of {experts.Count} experts, each ",
    };

    private static string Word(Enum value) => value.ToString().ToLowerInvariant();

    private static string Describe(GenerationDefaults defaults)
    {
        var parts = new List<string>();
        void Add(string name, IFormattable? value)
        {
            if (value is not null)
                parts.Add($"{name} {value.ToString(null, CultureInfo.InvariantCulture)}");
        }

        Add("BOS", defaults.BosToken);
        if (defaults.EosTokens.Count > 0)
            parts.Add($"EOS {string.Join(" or ", defaults.EosTokens)}");
        Add("padding", defaults.PadToken);
        Add("temperature", defaults.Temperature);
        Add("top-k", defaults.TopK);
        Add("top-p", defaults.TopP);
        Add("repetition penalty", defaults.RepetitionPenalty);
        return parts.Count == 0 ? "nothing recommended" : string.Join(", ", parts);
    }
}

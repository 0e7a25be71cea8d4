using Weft.Convert.Families;
using Weft.Convert.Quantization;
using Weft.Convert.Sources;
using Weft.Models;
using Weft.Weights;

namespace Weft.Convert;

/// <summary>
/// Turns a checkpoint into one packed file: the family describes the model, every tensor that the description asks for is
/// found, checked and streamed, and what is left over must be known not to be a weight.
/// </summary>
public static class Converter
{
    /// <summary>Whether there is something to convert: a checkpoint's folder, an adapter's, or a GGUF file. Nothing but its kind is looked at.</summary>
    /// <exception cref="WeftException">It cannot be read.</exception>
    public static bool IsCheckpoint(string path) => File.Exists(path) ? GgufSource.IsOne(path) : File.Exists(Path.Combine(path, "config.json")) || AdapterSource.IsOne(path);

    /// <summary>Everything beside a checkpoint that is converted with it: the other parts of a GGUF file, the folder that an adapter is for.</summary>
    public static IEnumerable<string> Beside(string path) => File.Exists(path) ? GgufSource.OtherParts(path) : AdapterSource.IsOne(path) ? [AdapterSource.PlaceOf(path)] : [];

    /// <summary>Converts a checkpoint. The output appears whole or not at all.</summary>
    /// <exception cref="WeftException">The checkpoint is incomplete, damaged or unsupported, or the output cannot be written.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is left behind.</exception>
    public static ConversionResult Convert(
        ConversionOptions options, IProgress<ConversionProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (string.IsNullOrWhiteSpace(options.Output))
            throw new WeftException($"{options.Source}: the packed file to make needs a name");
        if (Directory.Exists(options.Output))
            throw new WeftException($"{options.Output}: this is a folder; give the name of the packed file to make");
        var source = CheckpointSource.Open(options.Source);
        var (config, family) = (source.Config, source.Family);
        var model = source.Describe();
        if (ModelCheck.FindError(model) is { } error)
            throw config.Error(error);
        var checkpoint = source.OpenWeights();
        if (source.Quantization is not null && options.GroupSize is not null)
            throw config.Error("the weights are quantized already; convert the original checkpoint, or leave out --quant");
        var plan = TensorPlan.Create(source, model, checkpoint, options);
        var settings = source.ReadSettings(model.VocabularySize);
        var tokenizer = source.ReadTokenizer();
        var chat = ChatChoice.Make(options.ChatTemplate, family, settings, config, tokenizer);
        string[] sources = [.. settings.Files, .. checkpoint.Files];
        if (sources.Any(read => Path.GetFullPath(read) == Path.GetFullPath(options.Output)))
            throw new WeftException($"{options.Output}: this file is part of the checkpoint; give another name for the packed file");
        using var hashes = SourceHashes.Start(sources, cancellationToken);
        var header = new WeftHeader
        {
            Model = model,
            Tokenizer = tokenizer,
            ChatTemplate = chat.Template,
            Chat = chat.Settings,
            Generation = settings.Generation with { EosTokens = [.. Ends(settings, family, config).Union(chat.StopTokens)] },
            Provenance = new Provenance
            {
                Architecture = source.Architecture,
                Converter = $"weft {typeof(Converter).Assembly.GetName().Version?.ToString(3)}",
                Sources = hashes.Unfinished,
            },
            Tensors = [.. plan.Select(tensor => tensor.Entry)],
        };

        using var writer = WeftWriter.Create(options.Output, header);
        var total = plan.Sum(tensor => tensor.SourceBytes);
        WriteTensors(writer, plan, total, progress, cancellationToken);
        writer.Flush(); // while the hashes are still being computed
        var provenance = header.Provenance with { Sources = hashes.Finish() };
        cancellationToken.ThrowIfCancellationRequested();
        writer.Complete(header with { Provenance = provenance });
        return new(options.Output, source.Architecture, plan.Count, total, writer.Length) { Warnings = [.. chat.Warnings(), .. checkpoint.Warnings()] };
    }

    /// <summary>The tokens that end a generation, as the checkpoint's files name them, or else as its family knows them.</summary>
    private static IReadOnlyList<int> Ends(CheckpointSettings settings, Family family, ConfigFile config) =>
        settings.Generation.EosTokens.Count == 0 && family.EndOf(config) is { } end ? [end] : settings.Generation.EosTokens;

    private static void WriteTensors(
        WeftWriter writer, IReadOnlyList<PlannedTensor> plan, long total, IProgress<ConversionProgress>? progress, CancellationToken cancellationToken)
    {
        using var reader = new TensorReader();
        var done = 0L;
        foreach (var tensor in plan)
        {
            writer.Begin(tensor.Name);
            if (tensor.Quantized is { } quantized)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var layout = new QuantizedLayout(tensor.Shape[0], tensor.Shape[1], tensor.DataType, quantized.Meaning);
                writer.Append(quantized.Source.Pack(layout));
                done += tensor.SourceBytes;
                progress?.Report(new(tensor.Name, done, total));
                continue;
            }

            foreach (var (bytes, sourceBytes) in reader.Read(tensor))
            {
                cancellationToken.ThrowIfCancellationRequested();
                writer.Append(bytes.Span);
                done += sourceBytes;
                progress?.Report(new(tensor.Name, done, total));
            }
        }
    }
}

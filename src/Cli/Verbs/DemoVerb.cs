using System.Diagnostics;
using CommandLine;
using Spectre.Console;
using Weft.Cli.Output;
using Weft.Cli.Storage;
using Weft.Sampling;

namespace Weft.Cli.Verbs;

/// <summary><c>weft demo</c>: the checkpoint that ships with the source, converted, run and measured.</summary>
[Verb("demo", HelpText = "Converts the small model in models/bard, lets it write, and shows how long everything took.")]
internal sealed class DemoVerb : IVerb
{
    private const string Prompt = "ROMEO:\nWhat light is this";
    private const int MaxTokens = 200;

    /// <summary>A fixed draw, so that everybody sees the same text.</summary>
    private static readonly SamplingOptions Sampling = new() { Temperature = 0.8f, TopP = 0.95f, Seed = 1597 };

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        var folder = Path.Combine(Repository.Root ?? "", "models", "bard");
        if (Repository.Root is null || !Directory.Exists(folder))
            throw new WeftException("the demo needs the source tree with its folder models/bard, and this copy of weft does not run from there");

        var (terminal, rich) = (session.Terminal, session.Terminal.Rich);
        var start = Stopwatch.GetTimestamp();
        var packed = ModelStore.Resolve(folder, session);
        var converted = Stopwatch.GetElapsedTime(start);
        start = Stopwatch.GetTimestamp();
        using var model = Model.Load(packed);
        var loaded = Stopwatch.GetElapsedTime(start);

        rich.Write(new Rule("[bold]bard[/], a small model trained on Shakespeare and the King James Bible").LeftJustified());
        rich.Write(new Text(Prompt, new Style(decoration: Decoration.Bold)));
        var tokenizer = ModelParts.TokenizerOf(model, folder);
        var prompt = tokenizer.Encode(Prompt);
        var options = new GenerationOptions { MaxTokens = MaxTokens, Sampling = Sampling };
        var (generated, first, decode) = Generate(model, prompt, options, session);
        terminal.Out.WriteLine();
        var (tokens, prefill) = Prefill(model, [.. prompt, .. generated], session.Cancellation);

        rich.Write(new Rule().LeftJustified());
        var table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("").AddColumn(new TableColumn("").RightAligned()).AddColumn("");
        void Row(string name, string value, string note) => table.AddRow(new Text(name), new Text(value), new Text(note, Color.Grey));
        Row("find or convert", Units.Time(converted), "once; later runs use the cache folder");
        Row("load", Units.Time(loaded), $"{Units.Bytes(new FileInfo(packed).Length)} on {model.DeviceName}");
        Row("first token", Units.Time(first), $"after a prompt of {prompt.Length} tokens, code still cold");
        Row("prefill", Units.Rate(tokens, prefill, "tokens/s"), $"{tokens} tokens at once");
        Row("decode", Units.Rate(generated.Count - 1, decode, "tokens/s"), $"{generated.Count} tokens, one a step");
        Row("peak memory", Units.Bytes(Process.GetCurrentProcess().PeakWorkingSet64), "of the whole process");
        rich.Write(table);
        return ExitCodes.Success;
    }

    private static (IReadOnlyList<int> Tokens, TimeSpan First, TimeSpan Decode) Generate(Model model, int[] prompt, GenerationOptions options, Session session)
    {
        using var engine = new Engine(model);
        using var generation = engine.Start(prompt, options, session.Cancellation);
        var tokens = generation.Wait(session.Terminal.Out.Write);
        var (first, decode) = GenerationVerb.Times(generation);
        return (tokens, first, decode);
    }

    /// <summary>Times the whole text as one prompt, with code that is compiled by now.</summary>
    private static (int Tokens, TimeSpan Time) Prefill(Model model, int[] tokens, CancellationToken cancellation)
    {
        using var sequence = model.CreateSequence();
        var logits = new float[model.Header.Model.VocabularySize];
        var start = Stopwatch.GetTimestamp();
        sequence.Forward(tokens, LogitRows.Last, logits, cancellation);
        return (tokens.Length, Stopwatch.GetElapsedTime(start));
    }
}

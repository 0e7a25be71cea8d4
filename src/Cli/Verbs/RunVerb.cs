using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;

namespace Weft.Cli.Verbs;

/// <summary><c>weft run</c>: a prompt in, generated text out, streamed as it becomes final.</summary>
[Verb("run", HelpText = "Generates text from a prompt and streams it. Where no sampling option is given, what the checkpoint recommends holds.")]
internal sealed class RunVerb : GenerationVerb, IVerb
{
    /// <summary>The prompt.</summary>
    [Value(1, MetaName = "PROMPT", HelpText = "The text to continue, or what an encoder-decoder reads; - reads standard input (one final line break is dropped).")]
    public string? Prompt { get; set; }

    /// <summary>File that holds the prompt.</summary>
    [Option('f', "file", MetaValue = "FILE", HelpText = "Takes the prompt from a UTF-8 file (one final line break is dropped).")]
    public string? File { get; set; }

    /// <summary>Most tokens to generate.</summary>
    [Option('n', "max-tokens", MetaValue = "N", HelpText = "Most tokens to generate (256).")]
    public int MaxTokens { get; set; } = 256;

    /// <summary>Start of the text.</summary>
    [Option("target-prefix", MetaValue = "TEXT", HelpText = "What the text of an encoder-decoder follows and does not repeat, such as the token of the language to translate into.")]
    public string? TargetPrefix { get; set; }

    /// <summary>No special tokens.</summary>
    [Option("raw", HelpText = "Adds no special tokens (such as BOS) to the prompt.")]
    public bool Raw { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        Check.AtLeast("--max-tokens", MaxTokens, 1);
        CheckRanges();
        var text = TextInput.Read(Prompt, File, session)
            ?? throw new UsageException("'run' needs a PROMPT, --file FILE or - for standard input");
        using var model = Load(session, Context ?? 0);
        var tokenizer = ModelParts.TokenizerOf(model, Model);
        var options = new GenerationOptions
        {
            MaxTokens = MaxTokens,
            Sampling = Sampling(model.Header.Generation),
            StopStrings = [.. Stop],
            TargetPrefix = TargetPrefix is { } begin ? tokenizer.Encode(begin, addSpecialTokens: false) : [],
        };
        var prompt = tokenizer.Encode(text, addSpecialTokens: !Raw);
        using var engine = new Engine(model);
        using var generation = engine.Start(prompt, options, session.Cancellation);
        var last = "";
        var tokens = generation.Wait(piece => session.Terminal.Out.Write(last = piece));
        if (!last.EndsWith('\n'))
            session.Terminal.Out.WriteLine();
        if (Stats)
            WriteStats(session.Terminal, model, generation, tokens.Count);
        return generation.FinishReason == FinishReason.Cancelled ? ExitCodes.Interrupted : ExitCodes.Success;
    }
}

using System.Globalization;
using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Models;
using Weft.Sampling;

namespace Weft.Cli.Verbs;

/// <summary><c>weft run</c>: a prompt in, generated text out, streamed as it becomes final.</summary>
[Verb("run", HelpText = "Generates text from a prompt and streams it. Where no sampling option is given, what the checkpoint recommends holds.")]
internal sealed class RunVerb : ExecutionVerb, IVerb
{
    /// <summary>The prompt.</summary>
    [Value(1, MetaName = "PROMPT", HelpText = "The text to continue; - reads standard input (one final line break is dropped).")]
    public string? Prompt { get; set; }

    /// <summary>File that holds the prompt.</summary>
    [Option('f', "file", MetaValue = "FILE", HelpText = "Takes the prompt from a UTF-8 file (one final line break is dropped).")]
    public string? File { get; set; }

    /// <summary>Most tokens to generate.</summary>
    [Option('n', "max-tokens", MetaValue = "N", Default = 256, HelpText = "Most tokens to generate (256).")]
    public int MaxTokens { get; set; } = 256;

    /// <summary>Softmax temperature.</summary>
    [Option('t', "temperature", MetaValue = "T", HelpText = "Divides the logits; 0 always takes the most probable token.")]
    public float? Temperature { get; set; }

    /// <summary>Size of the candidate set.</summary>
    [Option("top-k", MetaValue = "K", HelpText = "Draws from the K most probable tokens; 0 is off.")]
    public int? TopK { get; set; }

    /// <summary>Probability mass of the candidate set.</summary>
    [Option("top-p", MetaValue = "P", HelpText = "Draws from the most probable tokens that together reach probability P; 1 is off.")]
    public float? TopP { get; set; }

    /// <summary>Relative probability floor.</summary>
    [Option("min-p", MetaValue = "P", HelpText = "Drops tokens less probable than P times the most probable one; 0 is off.")]
    public float? MinP { get; set; }

    /// <summary>Penalty of tokens seen.</summary>
    [Option("repeat-penalty", MetaValue = "X", HelpText = "Makes tokens already seen less probable; 1 is off.")]
    public float? RepeatPenalty { get; set; }

    /// <summary>Penalty of tokens generated.</summary>
    [Option("presence-penalty", MetaValue = "X", HelpText = "Subtracted from the logits of tokens already generated; 0 is off.")]
    public float PresencePenalty { get; set; }

    /// <summary>Penalty per use.</summary>
    [Option("frequency-penalty", MetaValue = "X", HelpText = "Subtracted from a logit once per time its token was generated; 0 is off.")]
    public float FrequencyPenalty { get; set; }

    /// <summary>Random seed.</summary>
    [Option("seed", MetaValue = "N", HelpText = "Seed of the draws; the same seed gives the same text.")]
    public ulong? Seed { get; set; }

    /// <summary>Most probable token always.</summary>
    [Option("greedy", HelpText = "Always takes the most probable token, whatever the checkpoint recommends.")]
    public bool Greedy { get; set; }

    /// <summary>Stop strings.</summary>
    [Option("stop", MetaValue = "TEXT", HelpText = "Ends before this text appears; may be given several times.")]
    public IEnumerable<string> Stop { get; set; } = [];

    /// <summary>No special tokens.</summary>
    [Option("raw", HelpText = "Adds no special tokens (such as BOS) to the prompt.")]
    public bool Raw { get; set; }

    /// <summary>Cache size.</summary>
    [Option("context", MetaValue = "N", HelpText = "Tokens that prompt and text may have together; the model's context length when not given.")]
    public int? Context { get; set; }

    /// <summary>Timings at the end.</summary>
    [Option("stats", HelpText = "Prints token counts and times to standard error at the end.")]
    public bool Stats { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
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

    /// <summary>The user's options over the checkpoint's recommendations over the neutral values.</summary>
    internal SamplingOptions Sampling(GenerationDefaults checkpoint)
    {
        var defaults = Greedy ? new GenerationDefaults() : checkpoint;
        return new SamplingOptions
        {
            Temperature = Greedy ? 0 : Temperature ?? defaults.Temperature ?? 0,
            TopK = TopK ?? defaults.TopK ?? 0,
            TopP = TopP ?? defaults.TopP ?? 1,
            MinP = MinP ?? 0,
            RepetitionPenalty = RepeatPenalty ?? defaults.RepetitionPenalty ?? 1,
            PresencePenalty = PresencePenalty,
            FrequencyPenalty = FrequencyPenalty,
            Seed = Seed,
        };
    }

    private static void WriteStats(Terminal terminal, Model model, Generation generation, int tokens)
    {
        var decoded = Math.Max(0, tokens - 1);
        var (first, decode) = Times(generation);
        terminal.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"{model.DeviceName}; prompt of {generation.PromptTokens} tokens, first token after {first.TotalMilliseconds:F1} ms " +
            $"({Rate(generation.PromptTokens, first)}); " +
            $"{decoded} more in {decode.TotalMilliseconds:F1} ms ({Rate(decoded, decode)}); ended by {generation.FinishReason.ToString()!.ToLowerInvariant()}"));
    }

    /// <summary>Time to the first token, or to the end if there was none, and time from there to the end.</summary>
    internal static (TimeSpan First, TimeSpan Decode) Times(Generation generation)
    {
        var all = generation.Duration ?? TimeSpan.Zero;
        var first = generation.TimeToFirstToken ?? all;
        return (first, all - first);
    }

    private static string Rate(int tokens, TimeSpan time) => Units.Rate(tokens, time, "tokens/s");

    private void CheckRanges()
    {
        Check.AtLeast("--max-tokens", MaxTokens, 1);
        Check.AtLeast("--temperature", Temperature ?? 0, 0);
        Check.AtLeast("--top-k", TopK ?? 0, 0);
        Check.Share("--top-p", TopP ?? 1);
        Check.Share("--min-p", MinP ?? 0);
        Check.AtLeast("--context", Context ?? 1, 1);
        if (RepeatPenalty is <= 0 or float.NaN)
            throw new UsageException("--repeat-penalty must be greater than 0");
        if (Stop.Any(s => s.Length == 0))
            throw new UsageException("--stop needs some text");
    }
}

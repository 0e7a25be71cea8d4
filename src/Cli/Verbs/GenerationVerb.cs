using System.Globalization;
using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Models;
using Weft.Sampling;

namespace Weft.Cli.Verbs;

/// <summary>What every verb that generates text accepts beside the model: how tokens are drawn, and when it ends.</summary>
internal abstract class GenerationVerb : ExecutionVerb
{
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

    /// <summary>Cache size.</summary>
    [Option("context", MetaValue = "N", HelpText = "Tokens that prompt and text may have together; the model's context length when not given.")]
    public int? Context { get; set; }

    /// <summary>Timings at the end.</summary>
    [Option("stats", HelpText = "Prints token counts and times to standard error at the end.")]
    public bool Stats { get; set; }

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

    /// <summary>Time to the first token, or to the end if there was none, and time from there to the end.</summary>
    internal static (TimeSpan First, TimeSpan Decode) Times(Generation generation)
    {
        var all = generation.Duration ?? TimeSpan.Zero;
        var first = generation.TimeToFirstToken ?? all;
        return (first, all - first);
    }

    /// <summary>Writes token counts and times of a generation that ended.</summary>
    protected static void WriteStats(Terminal terminal, Model model, Generation generation, int tokens)
    {
        var decoded = Math.Max(0, tokens - 1);
        var (first, decode) = Times(generation);
        var cached = generation.CachedTokens > 0 ? string.Create(CultureInfo.InvariantCulture, $", {generation.CachedTokens} of them from before") : "";
        terminal.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"{model.DeviceName}; prompt of {generation.PromptTokens} tokens{cached}, first token after {first.TotalMilliseconds:F1} ms " +
            $"({Rate(generation.PromptTokens - generation.CachedTokens, first)}); " +
            $"{decoded} more in {decode.TotalMilliseconds:F1} ms ({Rate(decoded, decode)}); ended by {generation.FinishReason.ToString()!.ToLowerInvariant()}"));
    }

    /// <summary>Checks the options' values.</summary>
    /// <exception cref="UsageException">One is out of its range.</exception>
    protected void CheckRanges()
    {
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

    private static string Rate(int tokens, TimeSpan time) => Units.Rate(tokens, time, "tokens/s");
}

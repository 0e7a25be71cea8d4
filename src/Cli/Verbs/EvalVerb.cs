using System.Diagnostics;
using System.Globalization;
using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;

namespace Weft.Cli.Verbs;

/// <summary>
/// <c>weft eval</c>: perplexity of a text. The text is encoded without special tokens and cut into windows that do not overlap;
/// inside each, every token but the first is predicted from those before it. Tokens that do not fill a last window are left out.
/// </summary>
[Verb("eval", HelpText = "Measures perplexity on a text, in windows that do not overlap; tokens left after the last full window are not used.")]
internal sealed class EvalVerb : ExecutionVerb, IVerb
{
    /// <summary>Long contexts are evaluated at this length, which published perplexities use as well.</summary>
    private const int LongestDefaultWindow = 2048;

    /// <summary>Logits computed at a time, at most 64 MB of them.</summary>
    private const int LogitsAtATime = 16 << 20;

    /// <summary>The text.</summary>
    [Option("text", MetaValue = "FILE", Required = true, HelpText = "A file of UTF-8 text. Required.")]
    public string Text { get; set; } = "";

    /// <summary>Tokens per window.</summary>
    [Option("window", MetaValue = "N", HelpText = "Tokens of a window; the model's context length, at most 2048, when not given.")]
    public int? Window { get; set; }

    /// <summary>Machine-readable output.</summary>
    [Option("json", HelpText = "Prints JSON.")]
    public bool Json { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        Check.AtLeast("--window", Window ?? 2, 2);
        var text = TextInput.ReadFile(Text);
        using var model = Load(session);
        if (model.Header.Model.Encoder is not null)
            throw new WeftException($"'{Model}' is an encoder-decoder: a text alone has no perplexity, since it predicts one text from another");
        var context = model.ContextLength;
        var window = Window ?? Math.Min(context, LongestDefaultWindow);
        if (window > context)
            throw new WeftException($"'{Model}' has a context of {context} tokens, fewer than --window {window}");
        var tokens = ModelParts.TokenizerOf(model, Model).Encode(text, addSpecialTokens: false);
        if (tokens.Length < window)
            throw new WeftException($"'{Text}' has {tokens.Length} tokens, fewer than one window of {window}");

        var report = Evaluate(session, model, tokens, window);
        if (Json)
            session.Terminal.Out.WriteJson(report, CliJson.Default.EvalReport);
        else
            Write(session.Terminal.Out, report);
        return ExitCodes.Success;
    }

    private EvalReport Evaluate(Session session, Model model, int[] tokens, int window)
    {
        var vocabulary = model.Header.Model.VocabularySize;
        var chunk = Math.Clamp(LogitsAtATime / vocabulary, 1, window - 1);
        var logits = new float[(long)chunk * vocabulary];
        var windows = tokens.Length / window;
        var (sum, busy) = (0.0, TimeSpan.Zero);
        for (var w = 0; w < windows; w++)
        {
            var inside = tokens.AsSpan(w * window, window);
            using var sequence = model.CreateSequence();
            for (var done = 0; done < window - 1; done += chunk)
            {
                var count = Math.Min(chunk, window - 1 - done);
                var start = Stopwatch.GetTimestamp();
                sequence.Forward(inside.Slice(done, count), LogitRows.All, logits.AsSpan(0, count * vocabulary), session.Cancellation);
                busy += Stopwatch.GetElapsedTime(start);
                for (var i = 0; i < count; i++)
                    sum += LogProbability.Negative(logits.AsSpan(i * vocabulary, vocabulary), inside[done + i + 1]);
            }
        }

        var predictions = windows * (window - 1);
        var loss = sum / predictions;
        return new EvalReport(
            Model, Text, tokens.Length, window, windows, predictions, tokens.Length % window, loss, Math.Exp(loss), predictions / busy.TotalSeconds);
    }

    private static void Write(TextWriter output, EvalReport report)
    {
        var invariant = CultureInfo.InvariantCulture;
        output.WriteLine(string.Create(invariant, $"loss         {report.Loss:F5} nats/token"));
        output.WriteLine(string.Create(invariant, $"perplexity   {report.Perplexity:F3}"));
        output.WriteLine(string.Create(
            invariant, $"predictions  {report.Predictions:N0} ({report.Windows} windows of {report.Window}; {report.UnusedTokens} of {report.Tokens:N0} tokens left over)"));
        output.WriteLine(string.Create(invariant, $"speed        {report.TokensPerSecond:N1} tokens/s"));
    }
}

namespace Weft.Cli.Output;

/// <summary>What <c>weft eval</c> measured.</summary>
/// <param name="Model">Path as given.</param>
/// <param name="Text">Path of the text.</param>
/// <param name="Tokens">Tokens of the text, without special tokens.</param>
/// <param name="Window">Tokens of a window.</param>
/// <param name="Windows">Full windows.</param>
/// <param name="Predictions">Tokens predicted: all but the first of each window.</param>
/// <param name="UnusedTokens">Tokens after the last full window.</param>
/// <param name="Loss">Mean negative log-probability, nats per token.</param>
/// <param name="Perplexity">e to the loss.</param>
/// <param name="TokensPerSecond">Predictions over the time spent in the model.</param>
internal sealed record EvalReport(
    string Model,
    string Text,
    int Tokens,
    int Window,
    int Windows,
    int Predictions,
    int UnusedTokens,
    double Loss,
    double Perplexity,
    double TokensPerSecond);

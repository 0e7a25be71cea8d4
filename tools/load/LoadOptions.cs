using Weft.Load.Workload;

namespace Weft.Load;

/// <summary>Which of a server's routes is put under load.</summary>
public enum LoadEndpoint
{
    /// <summary><c>POST /v1/completions</c>: the prompt as it is.</summary>
    Completions,

    /// <summary><c>POST /v1/chat/completions</c>: the prompt as one user message, in the server's chat template.</summary>
    Chat,
}

/// <summary>What a load test sends, and how fast.</summary>
public sealed record LoadOptions
{
    /// <summary>Requests when neither their number nor a duration is given.</summary>
    public const int DefaultRequests = 100;

    /// <summary>The server, as <see cref="ServerAddress"/> reads it.</summary>
    public required Uri Server { get; init; }

    /// <summary>Model in the server's list; null takes the first one listed.</summary>
    public string? Model { get; init; }

    /// <summary>Sent as a bearer token; null sends none.</summary>
    public string? ApiKey { get; init; }

    /// <summary>The route.</summary>
    public LoadEndpoint Endpoint { get; init; }

    /// <summary>Measured requests; null sends as many as <see cref="Duration"/> allows, else <see cref="DefaultRequests"/>.</summary>
    public int? Requests { get; init; }

    /// <summary>Requests per second of an open loop with Poisson arrivals; infinity sends all at once; null is a closed loop.</summary>
    public double? Rate { get; init; }

    /// <summary>Requests that a closed loop keeps in flight.</summary>
    public int Concurrency { get; init; } = 8;

    /// <summary>Tokens of each prompt.</summary>
    public TokenDistribution PromptTokens { get; init; } = TokenDistribution.Constant(128);

    /// <summary>Tokens asked for.</summary>
    public TokenDistribution OutputTokens { get; init; } = TokenDistribution.Constant(64);

    /// <summary>Share of each prompt, 0 to 1, that is the beginning of a text common to many requests.</summary>
    public double SharedPrefix { get; init; }

    /// <summary>Number of different such texts.</summary>
    public int Prefixes { get; init; } = 1;

    /// <summary>Equal seeds send equal requests at equal times, whatever the concurrency.</summary>
    public ulong Seed { get; init; }

    /// <summary>Requests that are sent first and not counted.</summary>
    public int WarmUp { get; init; }

    /// <summary>
    /// Each request has a connection of its own. Some servers close one after a streamed answer without saying so (llama.cpp's, of 2025), and the next
    /// request on it then fails.
    /// </summary>
    public bool NewConnections { get; init; }

    /// <summary>Sampling temperature.</summary>
    public double Temperature { get; init; }

    /// <summary>Asks the server to go on to the last token asked for.</summary>
    public bool IgnoreEndOfSequence { get; init; } = true;

    /// <summary>Longest time of one request.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>After this no request is started any more; null sets no limit.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>What an answer has to keep to count as good; null asks for nothing.</summary>
    public ServiceObjective? Objective { get; init; }

    /// <summary>What prompts are made of; null takes a built-in list of English words.</summary>
    public IReadOnlyList<string>? Words { get; init; }

    /// <summary>The most requests that are measured; null when nothing but <see cref="Duration"/> ends them, which at an infinite rate it cannot.</summary>
    public int? RequestLimit => Requests ?? (Duration is null || Rate is double.PositiveInfinity ? DefaultRequests : null);
}

using CommandLine;
using Spectre.Console;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Load;
using Weft.Load.Report;

namespace Weft.Cli.Verbs;

/// <summary><c>weft bench serve</c>: a load generator for any OpenAI-compatible server.</summary>
[Verb("bench serve", HelpText = "Puts an OpenAI-compatible server under load. Sends requests at a rate or with a concurrency, and measures what clients see: time to first token, time per token, throughput, goodput, failures by kind. Two requests for one token each come first, to learn how many tokens a word takes there.")]
internal sealed class BenchServeVerb : IVerb
{
    private const int DefaultConcurrency = 8;

    /// <summary>The server.</summary>
    [Value(0, MetaName = "URL", Required = true, HelpText = "The server's address, with or without /v1: http://localhost:8080.")]
    public string Url { get; set; } = "";

    /// <summary>The model.</summary>
    [Option("model", MetaValue = "ID", HelpText = "Model in the server's list; the first one listed when not given.")]
    public string? Model { get; set; }

    /// <summary>The key.</summary>
    [Option("api-key", MetaValue = "KEY", HelpText = "Key that the server asks for; WEFT_API_KEY, else OPENAI_API_KEY from the environment when not given.")]
    public string? ApiKey { get; set; }

    /// <summary>The route.</summary>
    [Option("endpoint", MetaValue = "NAME", HelpText = "completions (default) or chat.")]
    public string Endpoint { get; set; } = "completions";

    /// <summary>Number of requests.</summary>
    [Option("requests", MetaValue = "N", HelpText = "Requests that are measured (100, or as many as --duration allows).")]
    public int? Requests { get; set; }

    /// <summary>Open loop.</summary>
    [Option("rate", MetaValue = "R", HelpText = "Open loop: requests per second, with Poisson arrivals, whether the server keeps up or not; inf sends all at once.")]
    public string? Rate { get; set; }

    /// <summary>Closed loop.</summary>
    [Option("concurrency", MetaValue = "N", HelpText = "Closed loop: requests in flight, each followed by the next when it ends (8, when there is no --rate).")]
    public int? Concurrency { get; set; }

    /// <summary>Lengths of prompts.</summary>
    [Option("prompt-tokens", MetaValue = "COUNT", HelpText = "Tokens of each prompt: a number (128), a range (32-512), normal:MEAN,DEVIATION or lognormal:MU,SIGMA. The report says how many the server counted.")]
    public string PromptTokens { get; set; } = "128";

    /// <summary>Lengths of answers.</summary>
    [Option("output-tokens", MetaValue = "COUNT", HelpText = "Tokens asked for, in the same forms (64).")]
    public string OutputTokens { get; set; } = "64";

    /// <summary>Common beginnings.</summary>
    [Option("shared-prefix", MetaValue = "SHARE", HelpText = "This share of each prompt, 0 to 1, is a beginning common to all requests (0).")]
    public double SharedPrefix { get; set; }

    /// <summary>How many.</summary>
    [Option("prefixes", MetaValue = "K", HelpText = "Different such beginnings, of which each request takes one at random (1).")]
    public int Prefixes { get; set; } = 1;

    /// <summary>Random seed.</summary>
    [Option("seed", MetaValue = "N", HelpText = "Seed of lengths, words and arrivals; the same seed sends the same requests (0). Another one finds no old prompts in a prefix cache.")]
    public ulong Seed { get; set; }

    /// <summary>Requests before those that count.</summary>
    [Option("warmup", MetaValue = "N", HelpText = "Requests that are sent first and not counted (1).")]
    public int WarmUp { get; set; } = 1;

    /// <summary>Sampling temperature.</summary>
    [Option("temperature", MetaValue = "T", HelpText = "Sampling temperature (0).")]
    public double Temperature { get; set; }

    /// <summary>Whether answers go on to the last token.</summary>
    [Option("ignore-eos", MetaValue = "on|off", HelpText = "Asks the server to go on to the last token asked for, where it knows ignore_eos: on (default) or off.")]
    public string IgnoreEndOfSequence { get; set; } = "on";

    /// <summary>Longest time of a request.</summary>
    [Option("timeout", MetaValue = "SECONDS", HelpText = "A request that takes longer has failed (600).")]
    public double TimeoutSeconds { get; set; } = 600;

    /// <summary>A connection for each request.</summary>
    [Option("new-connections", HelpText = "Opens a connection for each request, for servers that close one after a streamed answer without saying so, as llama.cpp's does.")]
    public bool NewConnections { get; set; }

    /// <summary>Longest time in which requests are started.</summary>
    [Option("duration", MetaValue = "SECONDS", HelpText = "Starts no request after this time; those in flight are measured to their end.")]
    public double? DurationSeconds { get; set; }

    /// <summary>Source of words.</summary>
    [Option("text", MetaValue = "FILE", HelpText = "Text whose words prompts are made of, at random; some hundreds of English words when not given.")]
    public string? Text { get; set; }

    /// <summary>What a good answer keeps.</summary>
    [Option("slo", MetaValue = "LIMITS", HelpText = "Reports how many requests kept these limits in milliseconds: ttft=500,tpot=30 (time to first token, time per token after it) or one of them.")]
    public string? Objective { get; set; }

    /// <summary>Machine-readable output.</summary>
    [Option("json", HelpText = "Prints JSON.")]
    public bool Json { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        var report = Measure(ReadOptions(), session);
        if (Json)
            session.Terminal.Out.WriteJson(report, CliJson.Default.LoadReport);
        else
            LoadTable.Write(session.Terminal, report);
        session.Cancellation.ThrowIfCancellationRequested();
        if (report.Requests is { Succeeded: 0, Failures: [var first, ..] })
            throw new WeftException($"every request failed: {first.First}");
        return ExitCodes.Success;
    }

    private static LoadReport Measure(LoadOptions options, Session session)
    {
        try
        {
            return session.Terminal.Bar is { } console
                ? console.Progress().AutoClear(true).Start(context =>
                {
                    var task = context.AddTask("requests", maxValue: options.RequestLimit ?? 1);
                    task.IsIndeterminate = options.RequestLimit is null;
                    return Run(() => task.Increment(1));
                })
                : Run(() => { });
        }
        catch (LoadException failure)
        {
            throw new WeftException(failure.Message, failure);
        }

        LoadReport Run(Action finished) =>
            LoadGenerator.RunAsync(options, session.Terminal.Note, finished, session.Cancellation).GetAwaiter().GetResult();
    }

    private LoadOptions ReadOptions()
    {
        if (Rate is not null && Concurrency is not null)
            throw new UsageException("give either --rate or --concurrency, not both");
        Check.AtLeast("--requests", Requests ?? 1, 1);
        Check.AtLeast("--concurrency", Concurrency ?? 1, 1);
        Check.Share("--shared-prefix", SharedPrefix);
        Check.AtLeast("--prefixes", Prefixes, 1);
        Check.AtLeast("--warmup", WarmUp, 0);
        Check.AtLeast("--temperature", Temperature, 0);
        var key = ApiKey ?? Environment.GetEnvironmentVariable("WEFT_API_KEY") ?? Environment.GetEnvironmentVariable("OPENAI_API_KEY");
        return new()
        {
            Server = LoadArguments.Server(Url),
            Model = Model,
            ApiKey = string.IsNullOrEmpty(key) ? null : key,
            Endpoint = LoadArguments.Endpoint("--endpoint", Endpoint),
            Requests = Requests,
            Rate = LoadArguments.Rate("--rate", Rate),
            Concurrency = Concurrency ?? DefaultConcurrency,
            PromptTokens = LoadArguments.Distribution("--prompt-tokens", PromptTokens),
            OutputTokens = LoadArguments.Distribution("--output-tokens", OutputTokens),
            SharedPrefix = SharedPrefix,
            Prefixes = Prefixes,
            Seed = Seed,
            WarmUp = WarmUp,
            NewConnections = NewConnections,
            Temperature = Temperature,
            IgnoreEndOfSequence = LoadArguments.Switch("--ignore-eos", IgnoreEndOfSequence),
            Timeout = LoadArguments.Seconds("--timeout", TimeoutSeconds),
            Duration = DurationSeconds is { } seconds ? LoadArguments.Seconds("--duration", seconds) : null,
            Objective = LoadArguments.Objective("--slo", Objective),
            Words = LoadArguments.Words(Text),
        };
    }
}

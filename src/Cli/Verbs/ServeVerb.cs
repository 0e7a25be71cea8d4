using CommandLine;
using Microsoft.Extensions.Logging;
using Weft.Cli.Arguments;
using Weft.Daemon.Hosting;
using Weft.Daemon.Models;

namespace Weft.Cli.Verbs;

/// <summary><c>weft serve</c>: an HTTP server for the clients of OpenAI, Ollama and llama.cpp.</summary>
[Verb("serve", HelpText = "Serves models over HTTP to clients of OpenAI, Ollama and llama.cpp, until Ctrl-C or SIGTERM; what runs then is finished first.")]
internal sealed class ServeVerb : ExecutionVerb, IVerb
{
    private const string KeysVariable = "WEFT_API_KEYS";

    /// <summary>Models beside the first, as NAME=MODEL or MODEL.</summary>
    [Value(1, MetaName = "MORE", HelpText = "More models to serve. Each is known by the name of its file or folder; NAME=MODEL gives it another.")]
    public IEnumerable<string> More { get; set; } = [];

    /// <summary>Name of the first model in requests; null for that of its file or folder.</summary>
    [Option("name", MetaValue = "ID", HelpText = "Name by which requests ask for the (first) model.")]
    public string? Name { get; set; }

    /// <summary>File of the first model's chat template; null for its own.</summary>
    [Option("chat-template", MetaValue = "FILE", HelpText = "Chat template (Jinja) of the (first) model, in place of its own.")]
    public string? ChatTemplate { get; set; }

    /// <summary>Address to listen at.</summary>
    [Option("host", MetaValue = "ADDRESS", HelpText = "Address to listen at (127.0.0.1: this machine alone; 0.0.0.0: everybody who can reach it).")]
    public string Host { get; set; } = "127.0.0.1";

    /// <summary>Port to listen at; 0 for a free one.</summary>
    [Option("port", MetaValue = "PORT", HelpText = "Port to listen at (8080); 0 takes a free one.")]
    public int Port { get; set; } = 8080;

    /// <summary>Path of a Unix socket to listen at; null for none.</summary>
    [Option("unix-socket", MetaValue = "PATH", HelpText = "Listens at a Unix socket at this path, instead of an address and a port.")]
    public string? UnixSocket { get; set; }

    /// <summary>File of the certificate for TLS; null for plain HTTP.</summary>
    [Option("certificate", MetaValue = "FILE", HelpText = "Serves over TLS (and HTTP/2) with this certificate: PEM with its chain, or PKCS #12.")]
    public string? Certificate { get; set; }

    /// <summary>File of the certificate's private key; null where the certificate's file holds it.</summary>
    [Option("certificate-key", MetaValue = "FILE", HelpText = "The certificate's private key (PEM), where it is not in the same file.")]
    public string? CertificateKey { get; set; }

    /// <summary>File of API keys, one a line; null for none.</summary>
    [Option("api-key-file", MetaValue = "FILE", HelpText = "API keys, one a line, of which requests must carry one; WEFT_API_KEYS holds them too, separated by commas.")]
    public string? ApiKeyFile { get; set; }

    /// <summary>Names that requests may call the server by.</summary>
    [Option("allowed-host", MetaValue = "NAME", HelpText = "A name by which requests may call the server, beside addresses and localhost; * for any. May be given several times. Checked when --host is a loopback address, or when given.")]
    public IEnumerable<string> AllowedHosts { get; set; } = [];

    /// <summary>Origins whose pages may call the server.</summary>
    [Option("cors-origin", MetaValue = "ORIGIN", HelpText = "Lets pages of this origin call the server (CORS); * for all. May be given several times.")]
    public IEnumerable<string> CorsOrigins { get; set; } = [];

    /// <summary>Most requests that are generated at a time.</summary>
    [Option("max-sequences", MetaValue = "N", HelpText = "Most requests that are generated at a time (64).")]
    public int MaxSequences { get; set; } = 64;

    /// <summary>Most requests that wait.</summary>
    [Option("max-waiting", MetaValue = "N", HelpText = "Most requests that wait; one more is refused with status 429 (1024).")]
    public int MaxWaiting { get; set; } = 1024;

    /// <summary>Requests may go before others.</summary>
    [Option("allow-priority", HelpText = "Lets requests go before others by a negative priority; otherwise they can only step back.")]
    public bool AllowPriority { get; set; }

    /// <summary>Tokens of the key/value cache; null to go by the model and the memory.</summary>
    [Option("cache-tokens", MetaValue = "N", HelpText = "Tokens that the key/value cache holds over all sequences; eight contexts, as far as a quarter of the memory goes, when not given.")]
    public int? CacheTokens { get; set; }

    /// <summary>Largest body, in mebibytes.</summary>
    [Option("max-body", MetaValue = "MIB", HelpText = "Largest body of a request in mebibytes (32); a larger one is refused with status 413.")]
    public int MaxBody { get; set; } = 32;

    /// <summary>Seconds that running requests may go on after a signal.</summary>
    [Option("drain", MetaValue = "SECONDS", HelpText = "How long running requests may go on after Ctrl-C or SIGTERM (30).")]
    public int Drain { get; set; } = 30;

    /// <summary>Seconds after which a step is taken for one that hangs.</summary>
    [Option("step-limit", MetaValue = "SECONDS", HelpText = "A step that lasts longer is taken for a device that hangs, and /health says so (120).")]
    public int StepLimit { get; set; } = 120;

    /// <summary>URL that traces go to; null for nowhere.</summary>
    [Option("trace-endpoint", MetaValue = "URL", HelpText = "Sends a trace of every request there (OTLP over HTTP, such as http://collector:4318); OTEL_EXPORTER_OTLP_ENDPOINT does the same.")]
    public string? TraceEndpoint { get; set; }

    /// <summary>Form of the log: text, json or quiet.</summary>
    [Option("log", MetaValue = "FORMAT", HelpText = "Log on standard error: text (default), json, or quiet for failures alone. Prompts and answers are never logged.")]
    public string Log { get; set; } = "text";

    /// <inheritdoc/>
    public int Execute(Session session) => ServeAsync(session).GetAwaiter().GetResult();

    private async Task<int> ServeAsync(Session session)
    {
        var options = ServerOptions();
        var sources = Sources(session);
        var engine = new EngineOptions { MaxWaiting = MaxWaiting };
        var server = await DaemonServer.StartAsync(options, sources, engine, session.Cancellation).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        {
            try
            {
                await server.Ready.WaitAsync(session.Cancellation).ConfigureAwait(false);
                session.Terminal.Note($"serving {string.Join(", ", sources.Select(source => source.Name))} at {server.Address}");
                if (options.ApiKeys.Count == 0 && UnixSocket is null && Host is not ("127.0.0.1" or "::1" or "localhost"))
                    session.Terminal.Note($"warning: everybody who can reach {Host} can use this server, since there is no API key; see --api-key-file");
                await Task.Delay(Timeout.Infinite, session.Cancellation).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (session.Cancellation.IsCancellationRequested)
            {
                session.Terminal.Note("stopping");
                await server.StopAsync().ConfigureAwait(false);
            }
        }

        return ExitCodes.Success;
    }

    private DaemonOptions ServerOptions()
    {
        Check.AtLeast("--max-sequences", MaxSequences, 1);
        Check.AtLeast("--max-waiting", MaxWaiting, 1);
        Check.AtLeast("--cache-tokens", CacheTokens ?? 1, 1);
        Check.AtLeast("--max-body", MaxBody, 1);
        Check.AtLeast("--drain", Drain, 0);
        Check.AtLeast("--step-limit", StepLimit, 1);
        if (Port is < 0 or > 65535)
            throw new UsageException($"--port is from 0 to 65535, not {Port}");
        if (Log is not ("text" or "json" or "quiet"))
            throw new UsageException($"--log is text, json or quiet, not '{Log}'");
        if (CertificateKey is not null && Certificate is null)
            throw new UsageException("--certificate-key needs --certificate");
        return new DaemonOptions
        {
            Host = Host,
            Port = Port,
            UnixSocket = UnixSocket,
            Certificate = Certificate,
            CertificateKey = CertificateKey,
            ApiKeys = [.. ApiKeys()],
            AllowedHosts = [.. AllowedHosts],
            CorsOrigins = [.. CorsOrigins],
            AllowPriority = AllowPriority,
            MaxBodyBytes = (long)MaxBody << 20,
            DrainTime = TimeSpan.FromSeconds(Drain),
            StepLimit = TimeSpan.FromSeconds(StepLimit),
            TraceEndpoint = Traces(),
            JsonLogs = Log == "json",
            LogLevel = Log == "quiet" ? LogLevel.Warning : LogLevel.Information,
            Version = ProductVersion.Text,
        };
    }

    private Uri? Traces()
    {
        var text = TraceEndpoint ?? Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT");
        return text is not { Length: > 0 } ? null
            : Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri
            : throw new UsageException($"--trace-endpoint is a URL, not '{text}'");
    }

    private IEnumerable<string> ApiKeys()
    {
        var variable = Environment.GetEnvironmentVariable(KeysVariable)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
        if (ApiKeyFile is null)
            return variable;
        var keys = File.ReadAllLines(ApiKeyFile).Select(line => line.Trim()).Where(line => line.Length > 0).ToList();
        return keys.Count > 0 ? variable.Concat(keys) : throw new WeftException($"'{ApiKeyFile}' holds no API key");
    }

    private List<ModelSource> Sources(Session session)
    {
        var options = Options() with { MaxSequences = MaxSequences, CacheTokens = CacheTokens ?? 0 };
        var sources = new List<ModelSource>();
        foreach (var model in More.Prepend(Model))
        {
            var isFirst = sources.Count == 0;
            var (name, path) = Named(model, isFirst ? Name : null);
            if (sources.Exists(source => source.Name == name))
                throw new UsageException($"two models are called '{name}': give one another name with NAME=MODEL");
            sources.Add(new(name, () => Load(session, path, options), isFirst && ChatTemplate is not null ? File.ReadAllText(ChatTemplate) : null));
        }

        return sources;
    }

    private static (string Name, string Path) Named(string model, string? given)
    {
        var separator = model.IndexOf('=', StringComparison.Ordinal);
        if (separator > 0 && !Path.Exists(model))
            return (given ?? model[..separator], model[(separator + 1)..]);
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(model));
        return (given ?? (File.Exists(full) ? Path.GetFileNameWithoutExtension(full) : Path.GetFileName(full)), model);
    }
}

using Microsoft.Extensions.Logging;

namespace Weft.Daemon.Hosting;

/// <summary>How the server listens and whom it serves.</summary>
public sealed record DaemonOptions
{
    /// <summary>Address or name to listen at; this machine alone unless told otherwise.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Port; 0 takes a free one.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>Path of a Unix socket to listen at instead; null for none.</summary>
    public string? UnixSocket { get; init; }

    /// <summary>Path of a certificate (PEM, with its chain, or PKCS #12) for TLS; null for none.</summary>
    public string? Certificate { get; init; }

    /// <summary>Path of the certificate's private key (PEM), where it is a file of its own.</summary>
    public string? CertificateKey { get; init; }

    /// <summary>Keys of which requests must carry one; empty lets everybody in.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>
    /// Names by which requests may call the server (their header Host), beside addresses, <c>localhost</c> and <see cref="Host"/>; <c>*</c> for any.
    /// Empty checks nothing, unless the server listens at a loopback address.
    /// </summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>Origins whose pages may call the server (CORS); <c>*</c> for all, empty for none.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];

    /// <summary>Requests may go before others, by a negative <c>priority</c>. Otherwise they can only step back, which harms nobody else.</summary>
    public bool AllowPriority { get; init; }

    /// <summary>Largest body of a request, in bytes.</summary>
    public long MaxBodyBytes { get; init; } = 32L << 20;

    /// <summary>How long generations may go on after the server was told to stop.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A step that goes on for longer is taken for a device that hangs: <c>/health</c> says so until it returns.</summary>
    public TimeSpan StepLimit { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>How long a step in flight may hold up the end of the server, after <see cref="DrainTime"/>.</summary>
    public TimeSpan StepPatience { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>After this time without anything to send, a stream sends a comment.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Logs as one JSON object a line, instead of text.</summary>
    public bool JsonLogs { get; init; }

    /// <summary>The least that is logged: a line for every request at <see cref="LogLevel.Information"/>, failures alone above it.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Where traces go (OTLP over HTTP), such as <c>http://collector:4318</c>; null for nowhere.</summary>
    public Uri? TraceEndpoint { get; init; }

    /// <summary>Version of the program, for those who ask.</summary>
    public string Version { get; init; } = "0.0.0";
}

using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Trace;
using Weft.Daemon.Models;
using Weft.Daemon.Operations;

namespace Weft.Daemon.Hosting;

/// <summary>
/// The HTTP server: it listens at once, answers 503 while models are loaded and warmed up, then serves until it is told to stop, finishes what it
/// has begun and ends.
/// </summary>
public sealed partial class DaemonServer : IAsyncDisposable
{
    private readonly DaemonOptions options;
    private readonly ModelDirectory models = new();
    private readonly MetricsPage metrics = new();
    private readonly WebApplication application;
    private readonly IPAddress? address; // null for a Unix socket
    private readonly List<(Engine Engine, Model Model)> owned = [];
    private readonly TracerProvider? traces;

    private DaemonServer(DaemonOptions options, Func<DaemonServer, Task> load)
    {
        this.options = options;
        address = options.UnixSocket is null ? Resolve(options.Host) : null;
        traces = options.TraceEndpoint is { } endpoint ? RequestTrace.Export(endpoint, options.Version) : null;
        // The web server takes as long to start as a small model.
        Ready = load(this);
        application = Build();
    }

    /// <summary>Where it listens: <c>http://127.0.0.1:8080</c>.</summary>
    public string Address { get; private set; } = "";

    /// <summary>Completes when every model is loaded and warmed up; fails with a <see cref="WeftException"/> when one cannot be.</summary>
    public Task Ready { get; }

    /// <summary>Starts to listen and, at the same time, to load models.</summary>
    /// <param name="options">How it listens.</param>
    /// <param name="sources">Where the models come from.</param>
    /// <param name="engineOptions">How each is served.</param>
    /// <param name="cancellationToken">Stops between models.</param>
    /// <exception cref="WeftException">The address is in use or not allowed, or the certificate cannot be read.</exception>
    public static async Task<DaemonServer> StartAsync(
        DaemonOptions options, IReadOnlyList<ModelSource> sources, EngineOptions engineOptions, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(sources);
        var server = new DaemonServer(
            options, server => sources.Count > 0 ? Task.Run(() => server.Load(sources, engineOptions, cancellationToken), CancellationToken.None) : Task.CompletedTask);
        try
        {
            await server.application.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            // Models may still be loading: nobody need wait for that to hear the reason.
            _ = server.DisposeAsync().AsTask();
            if (exception is not (IOException or SocketException or UnauthorizedAccessException))
                throw;
            throw new WeftException($"cannot listen at {options.UnixSocket ?? $"{options.Host}:{options.Port}"}: {Reason(exception)}", exception);
        }

        server.Address = options.UnixSocket is { } path
            ? "unix:" + path
            : server.application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        if (server.address is not null && options.Certificate is null && !server.Ready.IsCompleted)
            _ = Task.Run(server.AskItselfAsync, CancellationToken.None);
        return server;
    }

    /// <summary>Refuses new requests, lets running ones finish for as long as the options allow, and stops listening.</summary>
    public async Task StopAsync()
    {
        models.Drain();
        await Task.WhenAll(models.All.Select(CloseAsync)).ConfigureAwait(false);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await application.StopAsync(patience.Token).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await application.DisposeAsync().ConfigureAwait(false);
        metrics.Dispose();
        traces?.Dispose();
        // What a thread still loads or computes with is left to it, and to the end of the process.
        await Task.WhenAny(Ready, Task.Delay(options.StepPatience)).ConfigureAwait(false);
        if (!Ready.IsCompleted)
            return;
        foreach (var (engine, model) in owned)
        {
            if (await engine.CloseAsync(TimeSpan.Zero, options.StepPatience).ConfigureAwait(false))
                model.Dispose();
        }
    }

    /// <summary>Every route.</summary>
    internal IEnumerable<Endpoint> Endpoints => ((IEndpointRouteBuilder)application).DataSources.SelectMany(source => source.Endpoints);

    /// <summary>The models, once they are loaded.</summary>
    internal IReadOnlyList<ServedModel> Models => models.All;

    /// <summary>Opens the server with models that are loaded already.</summary>
    internal void Open(IReadOnlyList<ServedModel> loaded) => models.Open(loaded);

    private void Load(IReadOnlyList<ModelSource> sources, EngineOptions engineOptions, CancellationToken cancellationToken)
    {
        var loaded = new List<ServedModel>();
        foreach (var source in sources)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (model, served) = ModelLoader.Load(source, engineOptions);
            owned.Add((served.Engine, model));
            loaded.Add(served);
        }

        models.Open(loaded);
    }

    /// <summary>Answers a request of its own while models are loaded: otherwise half of the first client's wait would be for the web server's code to be compiled.</summary>
    private async Task AskItselfAsync()
    {
        var key = options.ApiKeys.Count > 0 ? $"Authorization: Bearer {options.ApiKeys[0]}\r\n" : "";
        var host = IPAddress.Any.Equals(address) ? IPAddress.Loopback : IPAddress.IPv6Any.Equals(address) ? IPAddress.IPv6Loopback : address!;
        try
        {
            using var client = new TcpClient(host.AddressFamily);
            await client.ConnectAsync(host, new Uri(Address).Port).ConfigureAwait(false);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{key}\r\n")).ConfigureAwait(false);
            await client.GetStream().CopyToAsync(Stream.Null).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            // It stops already, or has too many connections: nothing was asked for that anybody waits for.
        }
    }

    private async Task CloseAsync(ServedModel model)
    {
        if (!await model.Engine.CloseAsync(options.DrainTime, options.StepPatience).ConfigureAwait(false))
            LogHanging(application.Services.GetRequiredService<ILogger<DaemonServer>>(), model.Name, model.Engine.StepElapsed.TotalSeconds);
    }

    [LoggerMessage(LogLevel.Error, "a step of {Model} has not returned for {Seconds:F0} s: the server ends without it")]
    private static partial void LogHanging(ILogger logger, string model, double seconds);

    private WebApplication Build()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "weft" });
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(Configure);
        if (options.Certificate is not null)
            builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(options);
        // The command line decides when the server stops.
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        // A host that cannot start throws, which says as much as its log.
        var frameworkLevel = options.LogLevel > LogLevel.Warning ? options.LogLevel : LogLevel.Warning;
        builder.Logging.SetMinimumLevel(options.LogLevel).AddFilter("Microsoft", frameworkLevel).AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        if (options.JsonLogs)
            builder.Logging.AddJsonConsole(console => console.TimestampFormat = "O");
        else
            builder.Logging.AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat, console.ColorBehavior) = (true, "HH:mm:ss.fff ", LoggerColorBehavior.Default));
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        var app = builder.Build();
        app.UseMiddleware<RequestLog>();
        if (HostCheck.IsNeeded(options, address))
            app.UseMiddleware<HostCheck>();
        app.UseMiddleware<CrossOrigin>();
        app.UseMiddleware<ApiKeyCheck>();
        Routes.Map(app, models, metrics, options);
        return app;
    }

    private void Configure(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
        void Secure(ListenOptions listen)
        {
            if (options.Certificate is null)
                return;
            var (certificate, chain) = LoadCertificate();
            listen.UseHttps(https => (https.ServerCertificate, https.ServerCertificateChain) = (certificate, chain));
        }

        if (options.UnixSocket is { } path)
        {
            RemoveStaleSocket(path);
            kestrel.ListenUnixSocket(path, Secure);
        }
        else if (options.Host == "localhost" && options.Port != 0)
        {
            kestrel.ListenLocalhost(options.Port, Secure);
        }
        else
        {
            kestrel.Listen(address!, options.Port, Secure);
        }
    }

    private static IPAddress Resolve(string host)
    {
        if (IPAddress.TryParse(host, out var literal))
            return literal;
        try
        {
            return Dns.GetHostAddresses(host) is [var address, ..] ? address : throw new WeftException($"the host '{host}' has no address");
        }
        catch (SocketException exception)
        {
            throw new WeftException($"the host '{host}' is not known", exception);
        }
    }

    /// <summary>The server's certificate, and those between it and its root, which clients may not have.</summary>
    private (X509Certificate2 Certificate, X509Certificate2Collection? Chain) LoadCertificate()
    {
        var path = options.Certificate!;
        try
        {
            if (Path.GetExtension(path).ToUpperInvariant() is ".PFX" or ".P12")
                return (X509CertificateLoader.LoadPkcs12FromFile(path, null), null);
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(path);
            return (X509Certificate2.CreateFromPemFile(path, options.CertificateKey ?? path), chain);
        }
        catch (Exception exception) when (exception is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"the certificate '{path}' cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>A socket that nobody listens at any more is left over from a process that was killed.</summary>
    private static void RemoveStaleSocket(string path)
    {
        if (!File.Exists(path))
            return;
        if (IsFile(path))
            throw new WeftException($"'{path}' is a file and no socket, so it is left as it is; give --unix-socket another place");
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
        }
    }

    /// <summary>A socket cannot be opened as a file.</summary>
    private static bool IsFile(string path)
    {
        try
        {
            using var handle = File.OpenHandle(path);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string Reason(Exception exception)
    {
        var innermost = exception.GetBaseException();
        return innermost is SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse }
            || exception.Message.Contains("already in use", StringComparison.Ordinal)
            ? "another program listens there"
            : innermost.Message;
    }
}

using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Hosting;
using Weft.Daemon.Json;
using Weft.Daemon.Models;

namespace Weft.Daemon.Operations;

/// <summary>What probes ask.</summary>
internal static class HealthRoute
{
    /// <summary><c>GET /health</c>: 200 when requests are served; 503 with the reason while they are not, or when an engine has failed or hangs.</summary>
    public static Task HealthAsync(HttpContext context, ModelDirectory models, DaemonOptions options)
    {
        models.RequireReady();
        if (models.All.FirstOrDefault(model => model.Engine.Failure is not null) is { } failed)
            throw ApiException.Unavailable($"The engine of '{failed.Name}' has failed: {failed.Engine.Failure!.Message}");
        if (models.All.FirstOrDefault(model => model.Engine.StepElapsed > options.StepLimit) is { } hanging)
        {
            throw ApiException.Unavailable(FormattableString.Invariant(
                $"A step of '{hanging.Name}' has not returned for {hanging.Engine.StepElapsed.TotalSeconds:F0} s; more than {options.StepLimit.TotalSeconds:F0} s are taken for a device that hangs."));
        }

        return JsonResponse.WriteAsync(context, static writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("status", "ok");
            writer.WriteEndObject();
        });
    }

    /// <summary><c>GET /version</c>.</summary>
    public static Task VersionAsync(HttpContext context, DaemonOptions options) => JsonResponse.WriteAsync(context, writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("version", options.Version);
        writer.WriteEndObject();
    });
}

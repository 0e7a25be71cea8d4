using System.Text.Json;
using System.Text.Json.Serialization;
using Weft.Backends;
using Weft.Profile.Model;

namespace Weft.Profile.Documents;

/// <summary>
/// Steps as a timeline that ui.perfetto.dev and chrome://tracing open (Chrome's "Trace Event Format"): one track a step, one slice a node,
/// with what it moves and computes.
/// </summary>
internal sealed class TraceFile(string device)
{
    private readonly List<TraceEvent> events = [new("process_name", "", "M", 0, 0, 1, 0, new() { ["name"] = device })];
    private int tracks;

    /// <summary>Adds a step, its nodes one after the other.</summary>
    public void Add(string step, IEnumerable<(NodeTime Time, NodeWork Work)> nodes)
    {
        var track = ++tracks;
        events.Add(new("thread_name", "", "M", 0, 0, 1, track, new() { ["name"] = step }));
        var at = 0.0;
        foreach (var (time, work) in nodes)
        {
            events.Add(new(work.Name, work.Kind, "X", Math.Round(at, 3), Math.Round(time.Microseconds, 3), 1, track, new()
            {
                ["bytes"] = work.Bytes,
                ["operations"] = work.Operations,
                ["launches"] = time.Launches,
                ["gigabytes_per_second"] = time.Microseconds > 0 ? Math.Round(work.Bytes / time.Microseconds / 1e3, 3) : 0,
            }));
            at += time.Microseconds;
        }
    }

    /// <summary>Writes the file.</summary>
    /// <exception cref="WeftException">It cannot be written.</exception>
    public void Write(string path) => OutputFile.Write(path, JsonSerializer.Serialize(new Trace(events), TraceJson.Default.Trace) + "\n");
}

/// <summary>The file.</summary>
internal sealed record Trace([property: JsonPropertyName("traceEvents")] IReadOnlyList<TraceEvent> Events);

/// <summary>One of its events: microseconds, and names of one or two letters, as the format has them.</summary>
internal sealed record TraceEvent(
    [property: JsonPropertyName("name")] string Name, [property: JsonPropertyName("cat")] string Category, [property: JsonPropertyName("ph")] string Phase,
    [property: JsonPropertyName("ts")] double Start, [property: JsonPropertyName("dur")] double Duration, [property: JsonPropertyName("pid")] int Process,
    [property: JsonPropertyName("tid")] int Track, [property: JsonPropertyName("args")] Dictionary<string, object> Arguments);

/// <summary>Serialises traces without reflection.</summary>
[JsonSerializable(typeof(Trace))]
[JsonSerializable(typeof(double))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(string))]
internal sealed partial class TraceJson : JsonSerializerContext;

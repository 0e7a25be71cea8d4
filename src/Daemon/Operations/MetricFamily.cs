using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Weft.Daemon.Operations;

/// <summary>One name of the metrics page, with a series for each engine and label.</summary>
internal sealed class MetricFamily(string name, string kind, string help, double[] buckets)
{
    private readonly List<InstrumentSeries> instruments = [];

    /// <summary>Escapes a label's value.</summary>
    public static string Escape(string value) =>
        value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    /// <summary>Adds an engine's instrument.</summary>
    public InstrumentSeries Add(Instrument instrument)
    {
        var series = new InstrumentSeries(instrument, kind, buckets);
        instruments.Add(series);
        return series;
    }

    /// <summary>Drops an instrument of an engine that is gone.</summary>
    public void Remove(Instrument instrument) => instruments.RemoveAll(series => series.Instrument == instrument);

    /// <summary>Appends the family in text format.</summary>
    public void Write(StringBuilder text)
    {
        if (instruments.Count == 0)
            return;
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {kind}\n");
        foreach (var series in instruments)
            series.Write(text, name);
    }
}

using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Weft.Daemon.Operations;

/// <summary>What one engine reported under one name.</summary>
internal sealed class InstrumentSeries(Instrument instrument, string kind, double[] buckets)
{
    private readonly Lock gate = new();
    private readonly List<(string Labels, long[] Counts, double[] Sum)> series = [];

    /// <summary>Whose series these are.</summary>
    public Instrument Instrument { get; } = instrument;

    private bool IsHistogram => buckets.Length > 0 && kind == "histogram";

    /// <summary>Takes a measurement.</summary>
    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (gate)
        {
            var (_, counts, sum) = Find(tags);
            if (IsHistogram)
            {
                var bucket = 0;
                while (bucket < buckets.Length && value > buckets[bucket])
                    bucket++;
                counts[bucket]++;
                sum[0] += value;
            }
            else
            {
                // An observable instrument says how much it is, a counter how much more.
                sum[0] = Instrument.IsObservable ? value : sum[0] + value;
            }
        }
    }

    /// <summary>Appends its lines.</summary>
    public void Write(StringBuilder text, string name)
    {
        lock (gate)
        {
            if (series.Count == 0)
                Find([]);
            foreach (var (labels, counts, sum) in series)
            {
                if (!IsHistogram)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name}{{{labels}}} {Number(sum[0])}\n");
                    continue;
                }

                var total = 0L;
                for (var i = 0; i < counts.Length; i++)
                {
                    total += counts[i];
                    text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels},le=\"{(i < buckets.Length ? Number(buckets[i]) : "+Inf")}\"}} {total}\n");
                }

                text.Append(CultureInfo.InvariantCulture, $"{name}_sum{{{labels}}} {Number(sum[0])}\n{name}_count{{{labels}}} {total}\n");
            }
        }
    }

    private (string Labels, long[] Counts, double[] Sum) Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        // Without labels of its own there is one series, which needs no text to be found.
        if (tags.IsEmpty && series.Count > 0)
            return series[0];
        var all = (Instrument.Meter.Tags ?? []).Concat(tags.ToArray()).OrderBy(tag => tag.Key, StringComparer.Ordinal);
        var labels = string.Join(",", all.Select(tag => $"{tag.Key}=\"{MetricFamily.Escape(tag.Value?.ToString() ?? "")}\""));
        var index = series.FindIndex(entry => entry.Labels == labels);
        if (index < 0)
        {
            series.Add((labels, new long[buckets.Length + 1], new double[1]));
            index = series.Count - 1;
        }

        return series[index];
    }

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}

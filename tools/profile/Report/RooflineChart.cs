using System.Globalization;
using System.Xml.Linq;

namespace Weft.Profile.Report;

/// <summary>A dot: work at an intensity and the rate that it reaches or could reach.</summary>
/// <param name="Series">Kernel: gives colour and shape.</param>
/// <param name="Label">What a reader sees on it.</param>
/// <param name="Intensity">Operations a byte.</param>
/// <param name="Rate">Operations a second.</param>
internal sealed record RooflineDot(string Series, string Label, double Intensity, double Rate);

/// <summary>The ceilings of a device.</summary>
/// <param name="Name">Which device.</param>
/// <param name="BytesPerSecond">Of memory.</param>
/// <param name="OperationsPerSecond">Of tensor cores.</param>
internal sealed record RooflineCeilings(string Name, double BytesPerSecond, double OperationsPerSecond)
{
    /// <summary>The best rate at an intensity.</summary>
    public double At(double intensity) => Math.Min(intensity * BytesPerSecond, OperationsPerSecond);
}

/// <summary>A roofline plot (Williams, Waterman and Patterson 2009): log-log, a roof of memory and arithmetic, a dot a kernel.</summary>
internal static class RooflineChart
{
    private const double Width = 760;
    private const double Height = 420;
    private const double Left = 64;
    private const double Right = 28;
    private const double Top = 34;
    private const double Bottom = 48;
    private const double LegendStep = 17;
    private const int LegendColumns = 4;

    // Okabe and Ito's colours, which colour-blind readers tell apart; each round has another shape.
    private static readonly string[] Colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7a5195", "#666666"];
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    /// <summary>Draws it.</summary>
    /// <param name="ceilings">The roof.</param>
    /// <param name="dots">What stands under it.</param>
    /// <param name="series">All names in the order of their colours, so that charts beside each other agree.</param>
    public static XElement Draw(RooflineCeilings ceilings, IReadOnlyList<RooflineDot> dots, IReadOnlyList<string> series)
    {
        var names = series.Where(name => dots.Any(dot => dot.Series == name)).ToList();
        var legendRows = (names.Count + LegendColumns - 1) / LegendColumns;
        var ridge = ceilings.OperationsPerSecond / ceilings.BytesPerSecond;
        var x = new LogScale(Math.Min(0.1, dots.Min(dot => dot.Intensity)), Math.Max(ridge * 10, dots.Max(dot => dot.Intensity)), Left, Width - Right);
        var y = new LogScale(
            Math.Min(dots.Min(dot => dot.Rate), x.Low * ceilings.BytesPerSecond), ceilings.OperationsPerSecond * 2, Height - Bottom, Top);
        return new(
            Svg + "svg",
            new XAttribute("viewBox", Invariant($"0 0 {Width} {Height + (legendRows * LegendStep) + 6}")),
            new XAttribute("role", "img"),
            new XAttribute("aria-label", $"Roofline plot of {ceilings.Name}"),
            new XAttribute("class", "roofline"),
            new XAttribute("font-family", "system-ui, sans-serif"),
            new XAttribute("font-size", "12"),
            Text(Left + 4, 18, ceilings.Name, "start", ("font-weight", "600"), ("font-size", "14")),
            x.Decades().Select(value => Line(x.Of(value), Top, x.Of(value), Height - Bottom, "grid")),
            x.Decades().Select(value => Text(x.Of(value), Height - Bottom + 16, Power(value), "middle")),
            y.Decades().Select(value => Line(Left, y.Of(value), Width - Right, y.Of(value), "grid")),
            y.Decades().Select(value => Text(Left - 6, y.Of(value) + 4, Rate(value), "end")),
            Text(Left - 6, Top - 8, "FLOP/s", "end"),
            Text((Left + Width - Right) / 2, Height - 10, "operations a byte of device memory", "middle"),
            new XElement(
                Svg + "polyline",
                new XAttribute("class", "roof"), new XAttribute("fill", "none"), new XAttribute("stroke", "#888"), new XAttribute("stroke-width", "2"),
                new XAttribute("points", Invariant($"{x.Of(x.Low):F1},{y.Of(ceilings.At(x.Low)):F1} {x.Of(ridge):F1},{y.Of(ceilings.OperationsPerSecond):F1} {x.Of(x.High):F1},{y.Of(ceilings.OperationsPerSecond):F1}"))),
            Text(Width - Right - 4, y.Of(ceilings.OperationsPerSecond) - 6, Invariant($"{ceilings.OperationsPerSecond / 1e12:F0} TFLOP/s, {ceilings.BytesPerSecond / 1e9:F0} GB/s"), "end"),
            dots.Select(dot => Marker(x.Of(dot.Intensity), y.Of(dot.Rate), series.ToList().IndexOf(dot.Series), Tip(dot, ceilings))),
            names.Select((name, i) =>
            {
                var (left, line) = (14 + (i / legendRows * (Width / LegendColumns)), Height + 6 + (i % legendRows * LegendStep));
                return new[] { Marker(left, line, series.ToList().IndexOf(name), null), Text(left + 10, line + 4, name, "start", ("font-size", "11")) };
            }));
    }

    private static string Tip(RooflineDot dot, RooflineCeilings ceilings) => Invariant(
        $"{dot.Series}, {dot.Label}: {dot.Intensity:G3} operations a byte, {Rate(dot.Rate)}FLOP/s, {dot.Rate / ceilings.At(dot.Intensity):P0} of the roof");

    private static XElement Marker(double x, double y, int series, string? tip)
    {
        (string Name, XAttribute[] Place) shape = (series / Colours.Length % 4) switch
        {
            0 => ("circle", [new("cx", Invariant($"{x:F1}")), new("cy", Invariant($"{y:F1}")), new("r", "4.5")]),
            1 => ("rect", [new("x", Invariant($"{x - 4:F1}")), new("y", Invariant($"{y - 4:F1}")), new("width", "8"), new("height", "8")]),
            2 => ("polygon", [new("points", Invariant($"{x - 5:F1},{y + 4:F1} {x:F1},{y - 5:F1} {x + 5:F1},{y + 4:F1}"))]),
            _ => ("polygon", [new("points", Invariant($"{x - 5:F1},{y:F1} {x:F1},{y - 5:F1} {x + 5:F1},{y:F1} {x:F1},{y + 5:F1}"))]),
        };
        return new(
            Svg + shape.Name,
            shape.Place,
            new XAttribute("fill", Colours[series % Colours.Length]), new XAttribute("fill-opacity", "0.85"),
            tip is null ? null : new object[] { new XAttribute("class", "dot"), new XAttribute("tabindex", "0"), new XElement(Svg + "title", tip) });
    }

    private static XElement Line(double x1, double y1, double x2, double y2, string kind) => new(
        Svg + "line", new XAttribute("class", kind), new XAttribute("stroke", "#8884"),
        new XAttribute("x1", Invariant($"{x1:F1}")), new XAttribute("y1", Invariant($"{y1:F1}")), new XAttribute("x2", Invariant($"{x2:F1}")), new XAttribute("y2", Invariant($"{y2:F1}")));

    private static XElement Text(double x, double y, string text, string anchor, params (string Name, string Value)[] more) => new(
        Svg + "text", new XAttribute("x", Invariant($"{x:F1}")), new XAttribute("y", Invariant($"{y:F1}")), new XAttribute("text-anchor", anchor),
        new XAttribute("fill", "currentColor"), more.Select(attribute => new XAttribute(attribute.Name, attribute.Value)), text);

    private static string Power(double value) => value.ToString("#,0.######", CultureInfo.InvariantCulture);

    private static string Rate(double value) => value switch
    {
        >= 1e15 => Invariant($"{value / 1e15:G3} P"),
        >= 1e12 => Invariant($"{value / 1e12:G3} T"),
        >= 1e9 => Invariant($"{value / 1e9:G3} G"),
        _ => Invariant($"{value / 1e6:G3} M"),
    };

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    /// <summary>A logarithmic axis over whole decades.</summary>
    private sealed class LogScale(double low, double high, double from, double to)
    {
        private readonly double first = Math.Floor(Math.Log10(low));
        private readonly double last = Math.Ceiling(Math.Log10(high));

        public double Low => Math.Pow(10, first);

        public double High => Math.Pow(10, last);

        public double Of(double value) => from + ((Math.Log10(value) - first) / (last - first) * (to - from));

        public IEnumerable<double> Decades() => Enumerable.Range((int)first, (int)(last - first) + 1).Select(power => Math.Pow(10, power));
    }
}

using System.Xml.Linq;

namespace Weft.Profile.Report;

/// <summary>A figure over time, as small as a word.</summary>
internal static class Sparkline
{
    private const double Width = 90;
    private const double Height = 20;
    private const double Margin = 3;
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    /// <summary>Draws it from 0 to its largest value.</summary>
    public static XElement Draw(IReadOnlyList<double> values)
    {
        var most = Math.Max(values.Max(), double.Epsilon);
        string X(int i) => FormattableString.Invariant($"{Margin + ((Width - (2 * Margin)) * i / Math.Max(1, values.Count - 1)):F1}");
        string Y(double value) => FormattableString.Invariant($"{Height - Margin - ((Height - (2 * Margin)) * value / most):F1}");
        return new(
            Svg + "svg",
            new XAttribute("viewBox", FormattableString.Invariant($"0 0 {Width} {Height}")), new XAttribute("width", Width), new XAttribute("height", Height), new XAttribute("aria-hidden", "true"),
            new XElement(
                Svg + "polyline",
                new XAttribute("fill", "none"), new XAttribute("stroke", "#0072b2"), new XAttribute("stroke-width", "1.5"),
                new XAttribute("points", string.Join(' ', values.Select((value, i) => $"{X(i)},{Y(value)}")))),
            new XElement(Svg + "circle", new XAttribute("cx", X(values.Count - 1)), new XAttribute("cy", Y(values[^1])), new XAttribute("r", "2.5"), new XAttribute("fill", "#d55e00")));
    }
}

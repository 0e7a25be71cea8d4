using System.Globalization;
using System.Text.RegularExpressions;

namespace Weft.Profile.Static;

/// <summary>What a kernel takes, from the assembler's <c>-v</c>.</summary>
/// <param name="Registers">A thread.</param>
/// <param name="StackBytes">Local memory of a thread, spills included.</param>
/// <param name="SpillStoreBytes">Written to local memory for want of registers.</param>
/// <param name="SpillLoadBytes">Read back.</param>
/// <param name="StaticSharedBytes">Shared memory beside the launch's dynamic region.</param>
internal sealed partial record ResourceUsage(
    int Registers, int StackBytes, int SpillStoreBytes, int SpillLoadBytes, int StaticSharedBytes)
{
    /// <summary>Nothing at all.</summary>
    public static ResourceUsage None { get; } = new(0, 0, 0, 0, 0);

    /// <summary>Registers were not enough.</summary>
    public bool Spills => SpillStoreBytes > 0 || SpillLoadBytes > 0;

    /// <summary>Reads a compiler log: lowered kernel name → what it takes. A function that a kernel calls counts with that kernel.</summary>
    public static IReadOnlyDictionary<string, ResourceUsage> Parse(string log)
    {
        var usages = new Dictionary<string, ResourceUsage>(StringComparer.Ordinal);
        var kernel = "";
        foreach (var line in log.Split('\n'))
        {
            if (EntryLine().Match(line) is { Success: true } entry)
            {
                kernel = entry.Groups["name"].Value;
                usages[kernel] = None;
            }
            else if (usages.TryGetValue(kernel, out var usage))
            {
                usages[kernel] = usage.With(line);
            }
        }

        return usages;
    }

    private ResourceUsage With(string line)
    {
        if (FrameLine().Match(line) is { Success: true } frame)
        {
            return this with
            {
                StackBytes = StackBytes + Number(frame, "stack"),
                SpillStoreBytes = SpillStoreBytes + Number(frame, "stores"),
                SpillLoadBytes = SpillLoadBytes + Number(frame, "loads"),
            };
        }

        if (UsedLine().Match(line) is { Success: true } used)
        {
            return this with
            {
                Registers = Number(used, "registers"),
                StaticSharedBytes = SharedPart().Match(line) is { Success: true } shared ? Number(shared, "bytes") : 0,
            };
        }

        return this;
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"Compiling entry function '(?<name>[^']+)'")]
    private static partial Regex EntryLine();

    [GeneratedRegex(@"(?<stack>\d+) bytes stack frame, (?<stores>\d+) bytes spill stores, (?<loads>\d+) bytes spill loads")]
    private static partial Regex FrameLine();

    [GeneratedRegex(@"Used (?<registers>\d+) registers")]
    private static partial Regex UsedLine();

    [GeneratedRegex(@"(?<bytes>\d+) bytes smem")]
    private static partial Regex SharedPart();
}

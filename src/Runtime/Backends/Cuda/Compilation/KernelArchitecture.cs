using System.Globalization;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>A compute capability as NVRTC spells it.</summary>
/// <param name="Number">Major × 10 + minor: 86.</param>
internal readonly record struct KernelArchitecture(int Number)
{
    /// <summary>The oldest that the kernels are written for.</summary>
    public const int Oldest = 75;

    /// <summary>What the kernels are checked for, with and without a GPU.</summary>
    public static IReadOnlyList<KernelArchitecture> Checked { get; } = [new(75), new(80), new(86), new(89), new(90)];

    /// <summary>bf16 fragments of <c>mma</c> and bf16 conversions exist from sm_80 on; before it the runtime runs f16.</summary>
    public bool HasBFloat16 => Number >= 80;

    /// <summary>The exact architecture: <c>sm_86</c>. Only 9.0 has an own feature set that the kernels use: <c>sm_90a</c>.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"sm_{Number}{(Number == 90 ? "a" : "")}");

    /// <summary>Reads <c>sm_86</c> or <c>sm_90a</c>.</summary>
    public static bool TryParse(string text, out KernelArchitecture architecture)
    {
        var digits = text.StartsWith("sm_", StringComparison.Ordinal) ? text.AsSpan(3) : [];
        var known = int.TryParse(digits.TrimEnd('a'), NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        architecture = new KernelArchitecture(number);
        return known && (text == architecture.Name || digits.SequenceEqual(number.ToString(CultureInfo.InvariantCulture)));
    }

    /// <summary>
    /// What the compiler is asked for: machine code of exactly this architecture where it can make that, else the PTX of the newest
    /// that it knows before it, which the driver translates.
    /// </summary>
    /// <param name="known">Architectures that the compiler supports, as numbers.</param>
    /// <exception cref="WeftException">The device is older than everything that the kernels or the compiler support.</exception>
    public string Option(IReadOnlyList<int> known)
    {
        if (Number < Oldest)
            throw new WeftException($"this GPU has compute capability {Capability(Number)}; {Capability(Oldest)} (Turing) is the oldest that is supported: use --device cpu");
        if (known.Contains(Number))
            return "--gpu-architecture=" + Name;
        var number = Number;
        var newest = known.Where(candidate => candidate < number && candidate >= Oldest).DefaultIfEmpty(0).Max();
        if (newest == 0)
            throw new WeftException($"this GPU has compute capability {Capability(Number)} and the NVRTC found cannot compile for it: install a newer NVRTC");
        return string.Create(CultureInfo.InvariantCulture, $"--gpu-architecture=compute_{newest}");
    }

    private static string Capability(int number) => string.Create(CultureInfo.InvariantCulture, $"{number / 10}.{number % 10}");
}

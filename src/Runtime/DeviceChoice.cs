using System.Globalization;

namespace Weft;

/// <summary>What kind of device a model runs on.</summary>
public enum DeviceKind
{
    /// <summary>A GPU where there is one that can hold the model, else the processor.</summary>
    Auto,

    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>An NVIDIA GPU.</summary>
    Cuda,

    /// <summary>The software CUDA device, for tests of the CUDA backend.</summary>
    Simulator,
}

/// <summary>Where a model runs.</summary>
/// <param name="Kind">Which kind.</param>
/// <param name="Ordinal">Number of the GPU, from 0.</param>
public readonly record struct DeviceChoice(DeviceKind Kind, int Ordinal = 0)
{
    /// <summary>What <see cref="TryParse"/> takes, for messages.</summary>
    public const string Forms = "auto, cpu, cuda, cuda:N or sim";

    /// <summary>Parses <c>auto</c>, <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c> or <c>sim</c>.</summary>
    public static bool TryParse(string text, out DeviceChoice choice)
    {
        ArgumentNullException.ThrowIfNull(text);
        choice = text switch
        {
            "cpu" => new(DeviceKind.Cpu),
            "cuda" => new(DeviceKind.Cuda),
            "sim" => new(DeviceKind.Simulator),
            _ => default,
        };
        if (text == "auto" || choice.Kind != DeviceKind.Auto)
            return true;
        const string Numbered = "cuda:";
        if (!text.StartsWith(Numbered, StringComparison.Ordinal)
            || !int.TryParse(text.AsSpan(Numbered.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var ordinal))
        {
            return false;
        }

        choice = new(DeviceKind.Cuda, ordinal);
        return true;
    }
}

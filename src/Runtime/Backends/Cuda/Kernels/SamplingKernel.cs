using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Sampling;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of SamplingOptions in kernels/sampling.cu: how one row is drawn.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DeviceSamplingOptions
{
    public ulong Seed;
    public ulong Step;
    public float Temperature;
    public float TopP;
    public float MinP;
    public float RepetitionPenalty;
    public float PresencePenalty;
    public float FrequencyPenalty;
    public int TopK;
    public int Counts;

    /// <summary>A row that is not drawn from.</summary>
    public static DeviceSamplingOptions None { get; } = new() { Temperature = -1 };

    /// <summary>How <paramref name="sampler"/> draws its next token.</summary>
    /// <param name="sampler">Of the row's sequence.</param>
    /// <param name="step">Which draw of it this is.</param>
    /// <param name="counts">Row of the tokens it has seen, or −1.</param>
    public static DeviceSamplingOptions Create(Sampler sampler, ulong step, int counts) => new()
    {
        Seed = sampler.Seed,
        Step = step,
        Temperature = sampler.Options.Temperature,
        TopP = sampler.Options.TopP,
        MinP = sampler.Options.MinP,
        RepetitionPenalty = sampler.Options.RepetitionPenalty,
        PresencePenalty = sampler.Options.PresencePenalty,
        FrequencyPenalty = sampler.Options.FrequencyPenalty,
        TopK = sampler.Options.TopK,
        Counts = counts,
    };
}

/// <summary>Twin of SamplingParams in kernels/sampling.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SamplingParams
{
    public nuint Logits;
    public nuint Options;
    public nuint Seen;
    public nuint Tokens;
    public int Vocabulary;
    public int Stride;
}

/// <summary>kernels/sampling.cu.</summary>
internal static class SamplingKernel
{
    /// <summary>Bit of a token's 16 bits that says it was in the prompt or the output; the others count how often it was generated.</summary>
    public const ushort Seen = 0x8000;

    private const int Threads = 512;
    private const int Warps = Threads / 32;
    private const int Digits = 2048;

    /// <summary>Takes the largest logit of every row, after penalties.</summary>
    public static KernelInstance Greedy { get; } = new("sampling.cu", "weft::sample<true>");

    /// <summary>Draws every row as its options say.</summary>
    public static KernelInstance Draw { get; } = new("sampling.cu", "weft::sample<false>");

    /// <summary>Both.</summary>
    public static IEnumerable<KernelInstance> Instances => [Greedy, Draw];

    /// <summary>One block a row.</summary>
    public static LaunchShape Shape(int rows) => new(rows, 1, 1, Threads, (Digits + Warps + 2) * sizeof(ulong));
}

using System.Runtime.InteropServices;
using Weft.Interop;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of StateParams in kernels/common/state.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct StateParams
{
    public nuint States;
    public nuint Slots;
    public nuint Sources;
    public nuint Starts;
    public nuint Snapshots;
    public long Stride;
    public int Offset;
}

/// <summary>Twin of TokenShiftParams in kernels/token_shift.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TokenShiftParams
{
    public StateParams State;
    public nuint X;
    public nuint Y;
    public int Width;
    public int XStride;
    public int YStride;
}

/// <summary>Twin of AverageParams in kernels/average.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AverageParams
{
    public StateParams State;
    public nuint Decay;
    public nuint First;
    public nuint K;
    public nuint V;
    public nuint Y;
    public int Width;
    public int KStride;
    public int VStride;
    public int YStride;
}

/// <summary>Twin of DecayParams in kernels/decay.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DecayParams
{
    public StateParams State;
    public nuint Decay;
    public nuint First;
    public nuint R;
    public nuint K;
    public nuint V;
    public nuint D;
    public nuint Y;
    public int HeadSize;
    public int Stride;
    public int DStride;
    public int YStride;
}

/// <summary>Twin of DeltaRuleParams in kernels/delta_rule.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DeltaRuleParams
{
    public StateParams State;
    public nuint KeyScale;
    public nuint KeyRate;
    public nuint R;
    public nuint D;
    public nuint K;
    public nuint V;
    public nuint A;
    public nuint Y;
    public int HeadSize;
    public int Stride;
    public int YStride;
}

/// <summary>Twin of ConvolutionParams in kernels/convolution.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ConvolutionParams
{
    public StateParams State;
    public nuint Weight;
    public nuint Bias;
    public nuint X;
    public nuint Y;
    public int Taps;
    public int Width;
    public int XStride;
    public int YStride;
}

/// <summary>Twin of ScanParams in kernels/scan.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ScanParams
{
    public StateParams State;
    public nuint Decay;
    public nuint Skip;
    public nuint X;
    public nuint Step;
    public nuint B;
    public nuint C;
    public nuint Y;
    public int Width;
    public int HeadSize;
    public int GroupSize;
    public int StateSize;
    public int XStride;
    public int StepStride;
    public int RowStride;
    public int YStride;
    public float StepMin;
    public float StepMax;
}

/// <summary>The kernels that go through sequences' tokens in order.</summary>
internal static class StateKernels
{
    /// <summary>Channels of a head that a block takes at most.</summary>
    public const int MostHeadSize = 256;

    private const int Threads = 128;

    /// <summary>kernels/token_shift.cu.</summary>
    public static KernelInstance TokenShift { get; } = new("token_shift.cu", "weft::token_shift");

    /// <summary>kernels/average.cu.</summary>
    public static KernelInstance Average { get; } = new("average.cu", "weft::average");

    /// <summary>kernels/decay.cu.</summary>
    public static KernelInstance Decay { get; } = new("decay.cu", "weft::decay");

    /// <summary>kernels/delta_rule.cu.</summary>
    public static KernelInstance DeltaRule { get; } = new("delta_rule.cu", "weft::delta_rule");

    /// <summary>kernels/convolution.cu.</summary>
    public static KernelInstance Convolution { get; } = new("convolution.cu", "weft::convolution");

    /// <summary>All of them.</summary>
    public static IEnumerable<KernelInstance> Instances => [TokenShift, Average, Decay, DeltaRule, Convolution, Scan(true), Scan(false)];

    /// <summary>kernels/scan.cu.</summary>
    /// <param name="shared">The channels of a head have one decay.</param>
    public static KernelInstance Scan(bool shared) => new("scan.cu", shared ? "weft::scan<true>" : "weft::scan<false>");

    /// <summary>Blocks of channels, then sequences.</summary>
    public static LaunchShape ChannelShape(int channels, int sequences) => new((channels + Threads - 1) / Threads, sequences, 1, Threads, 0);

    /// <summary>Heads, then sequences; a thread for a channel, and so many numbers of each in shared memory.</summary>
    public static LaunchShape HeadShape(int heads, int headSize, int sequences, int numbers) => new(heads, sequences, 1, headSize, numbers * headSize * sizeof(float));
}

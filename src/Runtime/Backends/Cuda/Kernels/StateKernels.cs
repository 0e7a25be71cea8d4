using System.Numerics;
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
    public int Lanes;
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
    public int Lanes;
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
    public int HeadSize;
    public int GroupSize;
    public int StateSize;
    public int Lanes;
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
    /// <summary>The largest head: as many rows as a warp's lanes share.</summary>
    public const int MostHeadSize = 32 * HeadRows;

    private const int Threads = 128;
    private const int Stages = 2;

    // kernels/common/head_state.cuh: of a thread.
    private const int HeadRows = 8;
    private const int HeadColumns = 4;
    private const int HeadSums = 8;

    // kernels/scan.cu.
    private const int ScanTokens = 8;

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

    /// <summary>Lanes that share columns of a head's state: at least as many as sums that they add up together.</summary>
    public static int HeadLanes(int headSize) => Lanes(headSize, HeadRows, HeadSums);

    /// <summary>Blocks of columns of heads, then sequences.</summary>
    public static LaunchShape DecayShape(int heads, int headSize, int sequences) => HeadShape(heads, headSize, sequences, 3);

    /// <inheritdoc cref="DecayShape"/>
    public static LaunchShape DeltaRuleShape(int heads, int headSize, int sequences) => HeadShape(heads, headSize, sequences, 5);

    /// <summary>The largest state of a channel.</summary>
    public static int MostStateSize(bool shared) => 32 * ScanNumbers(shared);

    /// <summary>Lanes that share a channel's state.</summary>
    public static int ScanLanes(bool shared, int stateSize) => Lanes(stateSize, ScanNumbers(shared), shared ? 8 : 4);

    /// <summary>Blocks of channels of groups, then sequences.</summary>
    /// <param name="shared">The channels of a head have one decay.</param>
    /// <param name="width">Channels.</param>
    /// <param name="groupSize">Channels of a group.</param>
    /// <param name="stateSize">Of a channel.</param>
    /// <param name="sequences">How many.</param>
    public static LaunchShape ScanShape(bool shared, int width, int groupSize, int stateSize, int sequences)
    {
        var lanes = ScanLanes(shared, stateSize);
        var channels = Threads / lanes * (shared ? 4 : 1);
        var token = (2 * lanes * ScanNumbers(shared)) + ((shared ? 3 : 2) * channels);
        return new(width / groupSize * ((groupSize + channels - 1) / channels), sequences, 1, Threads, Stages * ScanTokens * token * sizeof(float));
    }

    // `numbers` of a token for each row of the state, and a value for each column.
    private static LaunchShape HeadShape(int heads, int headSize, int sequences, int numbers)
    {
        var lanes = HeadLanes(headSize);
        var columns = Threads / lanes * HeadColumns;
        var tokens = Threads / 2 / lanes;
        return new(heads * ((headSize + columns - 1) / columns), sequences, 1, Threads, Stages * tokens * ((numbers * HeadRows * lanes) + columns) * sizeof(float));
    }

    // A power of two: each lane has `own` of a state's numbers, and one of the sums that are added up together.
    private static int Lanes(int size, int own, int sums) => (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max((size + own - 1) / own, sums));

    // Of a channel's state in a thread.
    private static int ScanNumbers(bool shared) => shared ? 8 : 4;
}

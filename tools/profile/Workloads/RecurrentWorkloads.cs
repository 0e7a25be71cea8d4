using Weft.Backends.Cuda.Kernels;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Profile.Workloads;

/// <summary>
/// The kernels of recurrent blocks at a model's width; channels have sixteen numbers of state, or 128 where heads share their decay, as Mamba's and Mamba-2's.
/// The fewest bytes are those of inputs, results and the state read and written once a step.
/// </summary>
internal sealed class RecurrentWorkloads(ModelShape model, DataType type)
{
    private const int Taps = 4;

    private readonly int width = model.Hidden;
    private readonly int heads = model.Hidden / model.HeadSize;

    /// <summary>All of them.</summary>
    /// <param name="sequences">How many.</param>
    /// <param name="tokens">Of each.</param>
    public IEnumerable<Workload> All(int sequences, int tokens)
    {
        var rows = (double)sequences * tokens;
        var channels = StateKernels.ChannelShape(width, sequences);
        double Bytes(int values, int state) => sizeof(float) * ((rows * values * width) + (2.0 * sequences * state * width));
        yield return State<TokenShiftParams>("token_shift", StateKernels.TokenShift, channels, sequences, tokens, 1, Bytes(2, 1), rows * width, 1, (state, x, y) =>
            new() { State = state, X = x[0], Y = y, Width = width, XStride = width, YStride = width });
        yield return State<AverageParams>("average", StateKernels.Average, channels, sequences, tokens, 3, Bytes(3, 3), 24 * rows * width, 4, (state, x, y) =>
            new() { State = state, Decay = x[2], First = x[3], K = x[0], V = x[1], Y = y, Width = width, KStride = width, VStride = width, YStride = width });
        yield return State<DecayParams>(
            "decay", StateKernels.Decay, StateKernels.DecayShape(heads, model.HeadSize, sequences), sequences, tokens, model.HeadSize, Bytes(5, model.HeadSize),
            7 * rows * width * model.HeadSize, 5, (state, x, y) => new()
            {
                State = state, First = x[4], R = x[0], K = x[1], V = x[2], D = x[3], Y = y, HeadSize = model.HeadSize, Lanes = StateKernels.HeadLanes(model.HeadSize), Stride = width, DStride = width, YStride = width,
            });
        yield return State<DeltaRuleParams>(
            "delta_rule", StateKernels.DeltaRule, StateKernels.DeltaRuleShape(heads, model.HeadSize, sequences), sequences, tokens, model.HeadSize, Bytes(6, model.HeadSize),
            9 * rows * width * model.HeadSize, 7, (state, x, y) => new()
            {
                State = state, KeyScale = x[5], KeyRate = x[6], R = x[0], D = x[1], K = x[2], V = x[3], A = x[4], Y = y, HeadSize = model.HeadSize,
                Lanes = StateKernels.HeadLanes(model.HeadSize), Stride = width, YStride = width,
            });
        yield return State<ConvolutionParams>("convolution", StateKernels.Convolution, channels, sequences, tokens, Taps - 1, Bytes(2, Taps - 1), (2 * Taps * rows * width) + (4 * rows * width), 6, (state, x, y) =>
            new() { State = state, Weight = x[1], Bias = x[5], X = x[0], Y = y, Taps = Taps, Width = width, XStride = width, YStride = width }, Taps * width);
        foreach (var shared in (bool[])[false, true])
        {
            var size = shared ? 128 : 16;
            yield return State<ScanParams>(
                shared ? "scan, by head" : "scan", StateKernels.Scan(shared), StateKernels.ScanShape(shared, width, width, size, sequences), sequences, tokens, size, Bytes(shared ? 2 : 3, size),
                7 * rows * width * size, 6, (state, x, y) => new()
                {
                    State = state, Decay = x[4], Skip = x[5], X = x[0], Step = x[1], B = x[2], C = x[3], Y = y, HeadSize = shared ? model.HeadSize : 1, GroupSize = width,
                    StateSize = size, Lanes = StateKernels.ScanLanes(shared, size), XStride = width, StepStride = width, RowStride = width, YStride = width, StepMax = float.PositiveInfinity,
                }, size * width);
        }

        yield return Mix("mix", MixKernels.Mix(type), (int)rows, 4);
        yield return Mix("lerp", MixKernels.Lerp(DataType.Float32), (int)rows, 3);
        yield return Mix("gate", MixKernels.Gate(type, Activation.Silu), (int)rows, 2);
        yield return Workload.Of<BonusParams>(
            "bonus", Name((int)rows), MixKernels.Bonus(type), MixKernels.BonusShape((int)rows, heads), rows * width * ((6 * sizeof(float)) + type.Size()), 0, 10 * rows * width, operands =>
            {
                var (bytes, y) = ((long)rows * width * sizeof(float), operands.Zeros((long)rows * width * sizeof(float)));
                var vector = operands.Random((long)width * sizeof(float), 0);
                return turn => new BonusParams
                {
                    KeyRate = vector, First = vector, R = operands.Random(bytes, turn), K = operands.Random(bytes, turn + 1), V = operands.Random(bytes, turn + 2),
                    A = operands.Random(bytes, turn + 3), Gate = operands.Random(bytes, turn + 4), X = operands.Random(bytes, turn + 5), Y = y,
                    HeadSize = model.HeadSize, Stride = width, YStride = width,
                };
            });
    }

    private string Name(int rows) => $"{model.Name} {rows}×{width}";

    private Workload Mix(string name, KernelInstance kernel, int rows, int inputs) => Workload.Of<MixParams>(
        name, Name(rows), kernel, MixKernels.Shape(rows), (double)rows * width * (inputs + 1) * sizeof(float), 0, 3.0 * rows * width, operands =>
        {
            var (bytes, y) = ((long)rows * width * sizeof(float), operands.Zeros((long)rows * width * sizeof(float)));
            return turn => new MixParams
            {
                X = operands.Random(bytes, turn), Delta = operands.Random(bytes, turn + 1), Adjustment = operands.Random(bytes, turn + 2), Weight = operands.Random((long)width * sizeof(float), 0),
                Y = y, Width = width, Stride = width, YStride = width,
            };
        });

    private Workload State<TParameters>(
        string name, KernelInstance kernel, Weft.Interop.LaunchShape shape, int sequences, int tokens, int numbers, double bytes, double operations, int inputs,
        Func<StateParams, nuint[], nuint, TParameters> parameters, int vector = 0)
        where TParameters : unmanaged => Workload.Of<TParameters>(
            name, $"{model.Name} {sequences} sequences of {tokens}×{width}", kernel, shape, bytes, 0, operations, operands =>
            {
                var rows = sequences * tokens;
                var state = new StateParams
                {
                    States = operands.Zeros((long)sequences * numbers * width * sizeof(float)),
                    Slots = operands.Upload<int>([.. Enumerable.Range(0, sequences)]),
                    Sources = operands.Upload<int>([.. Enumerable.Range(0, sequences)]),
                    Starts = operands.Upload<int>([.. Enumerable.Range(0, sequences + 1).Select(i => i * tokens)]),
                    Snapshots = operands.Upload<int>([.. Enumerable.Repeat(-1, rows)]),
                    Stride = (long)numbers * width,
                };
                var y = operands.Zeros((long)rows * width * sizeof(float));
                // Large enough for a row of every token and for the longest vector.
                var length = (long)Math.Max(rows * width, vector) * sizeof(float);
                return turn => parameters(state, [.. Enumerable.Range(0, inputs).Select(i => operands.Random(length, turn + i))], y);
            });
}

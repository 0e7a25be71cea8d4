using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary><see cref="ScanNode"/>; a channel's state is N neighbouring numbers.</summary>
/// <param name="context">Where states are.</param>
/// <param name="node">The node.</param>
/// <param name="rates">−e^decay, of each number of a channel's state or of each head.</param>
/// <param name="skip">Of each channel or head.</param>
/// <param name="x">[N, I].</param>
/// <param name="step">[N, steps].</param>
/// <param name="b">[N, groups · state].</param>
/// <param name="c">[N, groups · state].</param>
/// <param name="y">[N, I].</param>
internal sealed unsafe class ScanOperation<TSimd, TVector>(
    ProgramContext context, ScanNode node, float* rates, float* skip, float* x, float* step, float* b, float* c, float* y)
    : StateOperation(context, node.State, Blocks(node.Space))
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private const int Channels = 32;

    private readonly StateSpaceDescription space = node.Space;
    private readonly bool isDual = node.Space.Kind == StateSpaceKind.Dual;
    private readonly int channels = BlockChannels(node.Space);

    protected override (int First, int Size) Part(int block) => (block * channels * space.StateSize, Width(block) * space.StateSize);

    [MethodImpl(Hot.Path)]
    protected override void RunTokens(int block, int first, int end, float* state, int thread)
    {
        var (n, width, channel) = (space.StateSize, Width(block), block * channels);
        var group = isDual ? block / (space.Heads / space.Groups) * n : 0;
        for (var token = first; token < end; token++)
        {
            var offset = ((nint)token * space.Width) + channel;
            var rows = ((nint)token * space.StateRows) + group;
            var (delta, decay) = (0f, 0f);
            for (var i = 0; i < width; i++)
            {
                // A head has one step and one decay.
                if (!isDual || i == 0)
                    delta = Step(step[((nint)token * space.Steps) + (isDual ? block : channel + i)]);
                if (isDual && i == 0)
                    decay = MathF.Exp(delta * rates[block]);
                var sum = isDual
                    ? Dual(state + (i * n), decay, delta * x[offset + i], b + rows, c + rows, n)
                    : Selective(state + (i * n), rates + ((nint)(channel + i) * n), delta, delta * x[offset + i], b + rows, c + rows, n);
                y[offset + i] = sum + (skip[isDual ? block : channel + i] * x[offset + i]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Selective(float* h, float* rates, float delta, float input, float* b, float* c, int n)
    {
        var (steps, inputs, sums) = (TSimd.Broadcast(delta), TSimd.Broadcast(input), TSimd.Zero);
        var i = 0;
        for (; i + TSimd.Width <= n; i += TSimd.Width)
        {
            var decay = VectorMath<TSimd, TVector>.Exp(TSimd.Multiply(steps, TSimd.Load(rates + i)));
            var value = TSimd.MultiplyAdd(decay, TSimd.Load(h + i), TSimd.Multiply(inputs, TSimd.Load(b + i)));
            TSimd.Store(h + i, value);
            sums = TSimd.MultiplyAdd(value, TSimd.Load(c + i), sums);
        }

        var sum = TSimd.Sum(sums);
        for (; i < n; i++)
        {
            h[i] = (VectorMath<SimdScalar, float>.Exp(delta * rates[i]) * h[i]) + (input * b[i]);
            sum += h[i] * c[i];
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Dual(float* h, float decay, float input, float* b, float* c, int n)
    {
        var (decays, inputs, sums) = (TSimd.Broadcast(decay), TSimd.Broadcast(input), TSimd.Zero);
        var i = 0;
        for (; i + TSimd.Width <= n; i += TSimd.Width)
        {
            var value = TSimd.MultiplyAdd(decays, TSimd.Load(h + i), TSimd.Multiply(inputs, TSimd.Load(b + i)));
            TSimd.Store(h + i, value);
            sums = TSimd.MultiplyAdd(value, TSimd.Load(c + i), sums);
        }

        var sum = TSimd.Sum(sums);
        for (; i < n; i++)
        {
            h[i] = (decay * h[i]) + (input * b[i]);
            sum += h[i] * c[i];
        }

        return sum;
    }

    // softplus, in double precision because 1 + eˣ has few digits of a small eˣ.
    private float Step(float x)
    {
        var value = x > 20 ? x : (float)Math.Log(1 + Math.Exp(x));
        return MathF.Min(MathF.Max(value, space.StepMin ?? value), space.StepMax ?? float.PositiveInfinity);
    }

    private int Width(int block) => Math.Min(channels, space.Width - (block * channels));

    private static int BlockChannels(StateSpaceDescription space) => space.Kind == StateSpaceKind.Dual ? space.Width / space.Heads : Channels;

    private static int Blocks(StateSpaceDescription space) => (space.Width + BlockChannels(space) - 1) / BlockChannels(space);
}
